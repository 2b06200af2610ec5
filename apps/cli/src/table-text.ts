import { formatLevel } from '@treeline/contract';
import { printable } from './terminal.ts';

export interface TableTextOptions {
  readonly utc: boolean;
  /** The terminal's width; cells are cut to fit it, and end in `…` then. Undefined: nothing is cut. */
  readonly maxWidth: number | undefined;
}

type Row = Readonly<Record<string, unknown>>;

const GAP = '  ';

/** A cell is cut no shorter than this, so that a table of many columns is wider than the terminal rather than empty. */
const MIN_CELL_WIDTH = 12;

/** Lays a table out for people: a column for each key, numbers to the right, levels by name, times as dates. */
export function formatTable(rows: readonly Row[], { utc, maxWidth }: TableTextOptions): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  if (columns.length === 0) return '';
  const cells = rows.map((row) => columns.map((column) => formatCell(column, row[column], utc)));
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...cells.map((line) => line[index]?.length ?? 0)),
  );
  const fitted = fitWidths(widths, maxWidth);
  const isRight = columns.map((column) => rows.every((row) => isRightAligned(column, row[column])));
  const lines = [columns, ...cells].map((line) =>
    line
      .map((cell, index) => align(cut(cell, fitted[index] ?? 0), fitted[index] ?? 0, isRight[index] ?? false))
      .join(GAP)
      .trimEnd(),
  );
  return lines.map((line) => `${line}\n`).join('');
}

/** A time as a date of the local zone, or of UTC. */
export function formatTime(ms: number, utc: boolean): string {
  const date = new Date(ms);
  if (Number.isNaN(date.getTime())) return String(ms);
  if (utc) return date.toISOString().replace('T', ' ').replace('.000Z', 'Z');
  const local = new Date(ms - date.getTimezoneOffset() * 60_000);
  return local
    .toISOString()
    .replace('T', ' ')
    .replace(/(?:\.000)?Z$/, '');
}

function formatCell(column: string, value: unknown, utc: boolean): string {
  if (value === undefined || value === null) return '-';
  if (typeof value === 'number') {
    if (column === 'level') return formatLevel(value);
    if (isTime(column)) return formatTime(value, utc);
    return Number.isInteger(value) ? String(value) : String(Math.round(value * 1000) / 1000);
  }
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return printable(text.replaceAll('\n', String.raw`\n`));
}

function isTime(column: string): boolean {
  return column === 'ts' || column === 'time';
}

function isRightAligned(column: string, value: unknown): boolean {
  return (
    column !== 'level' &&
    !isTime(column) &&
    (value === null || value === undefined || typeof value === 'number')
  );
}

/** Takes what is too much from the widest columns. */
function fitWidths(widths: readonly number[], maxWidth: number | undefined): number[] {
  const fitted = [...widths];
  if (maxWidth === undefined) return fitted;
  const total = (): number => fitted.reduce((sum, width) => sum + width, GAP.length * (fitted.length - 1));
  while (total() > maxWidth) {
    const widest = Math.max(...fitted);
    if (widest <= MIN_CELL_WIDTH) break;
    fitted[fitted.indexOf(widest)] = widest - 1;
  }
  return fitted;
}

function cut(cell: string, width: number): string {
  return cell.length <= width ? cell : `${cell.slice(0, width - 1)}…`;
}

function align(cell: string, width: number, isRight: boolean): string {
  return isRight ? cell.padStart(width) : cell.padEnd(width);
}
