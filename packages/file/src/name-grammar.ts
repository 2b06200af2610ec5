import path from 'node:path';

/** What a compressed file's name ends with. */
export type CompressedSuffix = 'gz' | 'zst' | 'br';

/** The name of a file that has its date, taken apart. */
export interface DatedName {
  readonly file: string;
  readonly date: string;
  /** 0 where the name has none. */
  readonly index: number;
  readonly compressed: CompressedSuffix | undefined;
}

/** A name whose file's last write may be known. */
type AgedName = DatedName & { readonly modifiedMs?: number };

/** The names that belong to one log. What does not match is not ours. */
export interface NameGrammar {
  readonly directory: string;
  /** Whether the file that is being written has its date already, so that rotating renames nothing. */
  readonly isDatedFromStart: boolean;
  /** The least index: 0 where a name can do without one. */
  readonly firstIndex: number;
  format(date: string, index: number): string;
  parse(file: string): DatedName | undefined;
}

const DATE_TOKEN = '%DATE%';
const INDEX_TOKEN = '%INDEX%';
const DATE = String.raw`(?<date>\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:T(?:[01]\d|2[0-3])(?:-[0-5]\d)?)?)`;
const INDEX = String.raw`(?<index>[1-9]\d{0,8})`;
const SUFFIX = String.raw`(?:\.(?<compressed>gz|zst|br))?`;

/** `<host>-<pid>-<start>`, the start in unix milliseconds: nothing shorter, so that `app.log.incident-4711-0` is somebody else's. */
export const PROCESS = String.raw`\w[\w.-]*-[1-9]\d{0,9}-[1-9]\d{12}`;

/**
 * The grammar `<path>.<date>[.<index>][.gz|.zst|.br]`, or with the date, and the index if it is to come elsewhere too, where `%DATE%`
 * and `%INDEX%` stand in the path.
 */
export function createNameGrammar(logPath: string): NameGrammar {
  const directory = path.dirname(logPath);
  const base = path.basename(logPath);
  const isDatedFromStart = base.includes(DATE_TOKEN);
  const template = isDatedFromStart ? base : `${base}.${DATE_TOKEN}`;
  const placesIndex = template.includes(INDEX_TOKEN);
  const body = template
    .split(new RegExp(`(${DATE_TOKEN}|${INDEX_TOKEN})`))
    .map((part) => (part === DATE_TOKEN ? DATE : part === INDEX_TOKEN ? INDEX : escapeRegExp(part)))
    .join('');
  const pattern = new RegExp(`^${body}${placesIndex ? '' : `(?:\\.${INDEX})?`}${SUFFIX}$`);
  return {
    directory,
    isDatedFromStart,
    firstIndex: placesIndex ? 1 : 0,
    format(date, index) {
      const name = template.replace(DATE_TOKEN, date);
      if (placesIndex) return name.replace(INDEX_TOKEN, String(Math.max(1, index)));
      return index > 0 ? `${name}.${index}` : name;
    },
    parse: (file) => parseWith(pattern, file),
  };
}

/**
 * The grammar of a log that each process writes into a file of its own, `<path>.<host>-<pid>-<start>`, rotated as any other. It takes in
 * the files of all processes: those of dead ones are done with, and have no date, which reads as ''.
 */
export function createProcessNameGrammar(logPath: string, ownPath: string): NameGrammar {
  const own = createNameGrammar(ownPath);
  const pattern = new RegExp(
    `^${escapeRegExp(path.basename(logPath))}\\.${PROCESS}(?:\\.${DATE}(?:\\.${INDEX})?)?${SUFFIX}$`,
  );
  return { ...own, parse: (file) => parseWith(pattern, file) };
}

const ANY_NAME = new RegExp(`^(?<before>.+?)\\.?${DATE}(?<after>.*?)(?:\\.${INDEX})?${SUFFIX}$`);
const ANY_COMPRESSED = new RegExp(`^(?<before>.+?)\\.(?<compressed>gz|zst|br)$`);

/** Takes the name of any log's dated or compressed file apart, for readers that don't know the log's path; `log` is the name without these parts. */
export function parseAnyName(file: string): (DatedName & { readonly log: string }) | undefined {
  const groups = (ANY_NAME.exec(file) ?? ANY_COMPRESSED.exec(file))?.groups;
  if (!groups) return undefined;
  const { before = '', after = '', date = '', index = '0', compressed } = groups;
  return { file, date, index: Number(index), compressed: suffixOf(compressed), log: before + after };
}

/** What is wrong with the tokens of a path, or undefined. */
export function tokenMistake(logPath: string): string | undefined {
  const base = path.basename(logPath);
  const count = (text: string, token: string): number => text.split(token).length - 1;
  if (path.dirname(logPath).includes(DATE_TOKEN) || path.dirname(logPath).includes(INDEX_TOKEN))
    return `must have ${DATE_TOKEN} and ${INDEX_TOKEN} in the file's name, not in its folders`;
  if (count(base, DATE_TOKEN) > 1 || count(base, INDEX_TOKEN) > 1)
    return `must have each of ${DATE_TOKEN} and ${INDEX_TOKEN} once`;
  if (count(base, INDEX_TOKEN) > count(base, DATE_TOKEN))
    return `must have ${DATE_TOKEN} where it has ${INDEX_TOKEN}`;
  return undefined;
}

function parseWith(pattern: RegExp, file: string): DatedName | undefined {
  const groups = pattern.exec(file)?.groups;
  if (!groups) return undefined;
  const { date = '', index = '0', compressed } = groups;
  return { file, date, index: Number(index), compressed: suffixOf(compressed) };
}

/**
 * Older names first. A day and an hour of it come from before and after a change of the interval, which in which order only the files
 * tell.
 */
export function compareAge(a: AgedName, b: AgedName): number {
  const isWithin = a.date.startsWith(b.date) || b.date.startsWith(a.date);
  if (a.date !== b.date && isWithin && a.modifiedMs !== undefined && b.modifiedMs !== undefined)
    return a.modifiedMs - b.modifiedMs;
  if (a.date !== b.date) return a.date < b.date ? -1 : 1;
  return a.index - b.index;
}

function suffixOf(text: string | undefined): CompressedSuffix | undefined {
  return text === 'gz' || text === 'zst' || text === 'br' ? text : undefined;
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
