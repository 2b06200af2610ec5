/** Paints our own parts of a line; what comes from the log is escaped before it gets here. */
export interface Theme {
  readonly colored: boolean;
  level(label: string, level: number): string;
  /** The colour of a tree, which its id decides. */
  laneColor(id: string): number;
  /** What belongs to one tree, in its colour; never red or yellow, which are levels. */
  lane(text: string, color: number): string;
  name(text: string): string;
  faint(text: string): string;
  error(text: string): string;
  warning(text: string): string;
  strong(text: string): string;
}

export const RESET = '\u001b[0m';

const paint = (codes: string) => {
  const start = `\u001b[${codes}m`;
  return (text: string): string => (text === '' ? '' : `${start}${text}${RESET}`);
};

const plain = (text: string): string => text;

const PLAIN: Theme = {
  colored: false,
  level: plain,
  laneColor: () => 0,
  lane: plain,
  name: plain,
  faint: plain,
  error: plain,
  warning: plain,
  strong: plain,
};

interface Palette {
  readonly levels: readonly (readonly [number, (text: string) => string])[];
  readonly lanes: readonly ((text: string) => string)[];
  readonly warning: (text: string) => string;
}

const PALETTES: Readonly<Record<'dark' | 'light', Palette>> = {
  dark: palette('1;33', '33', ['36', '35', '34', '32', '96', '95', '94', '92']),
  // Bright colours and yellow can't be read on white: brown of the 256 stands for it.
  light: palette('1;38;5;130', '38;5;130', ['36', '35', '34', '32']),
};

function palette(warn: string, warning: string, lanes: readonly string[]): Palette {
  return {
    levels: [
      [60, paint('1;97;41')],
      [50, paint('1;31')],
      [40, paint(warn)],
      [30, paint('1;32')],
      [20, paint('1;34')],
      [-Infinity, paint('1;35')],
    ],
    lanes: lanes.map(paint),
    warning: paint(warning),
  };
}

const COLOR_CODES: Readonly<Record<string, string>> = {
  black: '30',
  red: '31',
  green: '32',
  yellow: '33',
  blue: '34',
  magenta: '35',
  cyan: '36',
  white: '37',
  gray: '90',
};

/** `colors` are colours of levels, by number. */
export function createTheme(
  colored: boolean,
  background: 'dark' | 'light' = 'dark',
  colors: ReadonlyMap<number, string> = new Map(),
): Theme {
  if (!colored) return PLAIN;
  const { levels, lanes, warning } = PALETTES[background];
  const own = new Map(
    Array.from(colors, ([level, color]) => [level, paint(`1;${COLOR_CODES[color] ?? '39'}`)]),
  );
  return {
    colored: true,
    level: (label, level) =>
      (own.get(level) ?? levels.find(([least]) => level >= least)?.[1] ?? plain)(label),
    laneColor: lastKnown((id) => hash(id) % lanes.length),
    lane: (text, color) => (lanes[color] ?? plain)(text),
    name: paint('36'),
    faint: paint('2'),
    error: paint('31'),
    warning,
    strong: paint('1'),
  };
}

/** Lines of one tree come together more often than not. */
function lastKnown(colorOf: (id: string) => number): (id: string) => number {
  let last = '';
  let color = colorOf(last);
  return (id) => {
    if (id !== last) {
      last = id;
      color = colorOf(id);
    }
    return color;
  };
}

function hash(text: string): number {
  let value = 0;
  for (let index = 0; index < text.length; index++) value = (value * 31 + text.charCodeAt(index)) >>> 0;
  return value;
}
