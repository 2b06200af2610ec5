/** Paints our own parts of a line; what comes from the log is escaped before it gets here. */
export interface Theme {
  /** The level's label, padded to five columns. */
  level(label: string, level: number): string;
  time(text: string): string;
  name(text: string): string;
  key(text: string): string;
  faint(text: string): string;
  error(text: string): string;
}

const PLAIN: Theme = {
  level: (label) => label,
  time: (text) => text,
  name: (text) => text,
  key: (text) => text,
  faint: (text) => text,
  error: (text) => text,
};

const paint =
  (...codes: number[]) =>
  (text: string): string =>
    text === '' ? '' : `\u001b[${codes.join(';')}m${text}\u001b[0m`;

const BY_LEVEL: readonly (readonly [number, (text: string) => string])[] = [
  [60, paint(1, 97, 41)],
  [50, paint(1, 31)],
  [40, paint(1, 33)],
  [30, paint(1, 32)],
  [20, paint(1, 34)],
  [0, paint(1, 35)],
];

const COLORED: Theme = {
  level: (label, level) => (BY_LEVEL.find(([least]) => level >= least)?.[1] ?? paint(1))(label),
  time: paint(2),
  name: paint(36),
  key: paint(2),
  faint: paint(2),
  error: paint(31),
};

export function createTheme(colored: boolean): Theme {
  return colored ? COLORED : PLAIN;
}
