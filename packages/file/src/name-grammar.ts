import path from 'node:path';

/** What a compressed file's name ends with. */
export type CompressedSuffix = 'gz' | 'zst' | 'br';

/** A rotated file's name, taken apart. */
export interface RotatedName {
  readonly file: string;
  readonly date: string;
  /** 0 where the name has none. */
  readonly index: number;
  readonly compressed: CompressedSuffix | undefined;
}

/** The names that belong to one log file. What does not match is not ours. */
export interface NameGrammar {
  readonly directory: string;
  format(date: string, index: number): string;
  parse(file: string): RotatedName | undefined;
}

const DATE = String.raw`(?<date>\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:T(?:[01]\d|2[0-3])(?:-[0-5]\d)?)?)`;
const INDEX = String.raw`(?:\.(?<index>[1-9]\d{0,8}))?`;
const SUFFIX = String.raw`(?:\.(?<compressed>gz|zst|br))?`;

/** The grammar `<path>.<date>[.<index>][.gz|.zst|.br]`. */
export function createNameGrammar(logPath: string): NameGrammar {
  const directory = path.dirname(logPath);
  const base = path.basename(logPath);
  const pattern = new RegExp(`^${escapeRegExp(base)}\\.${DATE}${INDEX}${SUFFIX}$`);
  return {
    directory,
    format: (date, index) => `${base}.${date}${index > 0 ? `.${index}` : ''}`,
    parse(file) {
      const groups = pattern.exec(file)?.groups;
      if (!groups) return undefined;
      const { date = '', index = '0', compressed } = groups;
      return { file, date, index: Number(index), compressed: compressed as CompressedSuffix | undefined };
    },
  };
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
