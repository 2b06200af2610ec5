import { formatBytes } from '@treeline/contract';
import { examineStore, type StoreReport } from '@treeline/sqlite';
import { EXIT } from '../exit-code.ts';
import { DEFAULT_STORE } from '../query-request.ts';
import { formatTable, formatTime } from '../table-text.ts';
import { printable, writeOut } from '../terminal.ts';

/** The options of `treeline doctor` as they were typed. */
export interface DoctorFlags {
  readonly check?: boolean;
  readonly utc?: boolean;
  readonly output: 'text' | 'json';
}

/** Tells what costs space and time in a store; gives the exit code. */
export function doctor(path = DEFAULT_STORE, { check = false, utc = false, output }: DoctorFlags): number {
  const report = examineStore(path, { check });
  writeOut(output === 'json' ? `${JSON.stringify(report)}\n` : formatReport(report, { check, utc }));
  return report.findings.some(({ severity }) => severity === 'error') ? EXIT.failed : EXIT.ok;
}

function optionalIndexes({ optionalIndexes: fields, fullTextBehind }: StoreReport): string {
  const fullText =
    fullTextBehind === undefined
      ? []
      : [`full text${fullTextBehind > 0 ? ` (behind by ${fullTextBehind} records)` : ''}`];
  return [...fields, ...fullText].join(', ') || 'none';
}

function formatReport(report: StoreReport, { check, utc }: { check: boolean; utc: boolean }): string {
  const { rows, firstMs, lastMs, fileBytes, walBytes, freeBytes, findings } = report;
  const range =
    firstMs === undefined || lastMs === undefined
      ? ''
      : ` from ${formatTime(firstMs, utc)} to ${formatTime(lastMs, utc)}`;
  const perRow = rows === 0 ? '' : `, ${Math.round(fileBytes / rows)} bytes a record`;
  const table = (cells: readonly Record<string, unknown>[]): string =>
    cells.length === 0 ? '' : `\n${formatTable(cells, { utc, maxWidth: process.stdout.columns })}`;
  return [
    `${printable(report.path)}: ${rows.toLocaleString('en')} records${range}\n`,
    `schema ${report.schemaVersion}, store ${report.storeId}\n`,
    `file ${formatBytes(fileBytes)}${perRow}; ${formatBytes(freeBytes)} of it free; write-ahead log ${formatBytes(walBytes)}\n`,
    `optional indexes: ${optionalIndexes(report)}\n`,
    table(
      report.parts.map(({ name, bytes }) => ({
        'table or index': name,
        size: formatBytes(bytes),
        share: `${Math.round((bytes / fileBytes) * 100)}%`,
      })),
    ),
    table(
      report.busiest.map(({ source, type, rows: n }) => ({ source: source || '(none)', type, records: n })),
    ),
    '\n',
    ...findings.map(({ severity, message }) => `${severity}: ${printable(message)}\n`),
    findings.length === 0 ? `nothing is amiss${check ? '' : ' (--check would also read every page)'}\n` : '',
  ].join('');
}
