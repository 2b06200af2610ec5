/** What trees are drawn with. */
export interface Glyphs {
  readonly open: string;
  readonly close: string;
  /** From a parent down to a child that opens, and back up from one that closes. */
  readonly down: string;
  readonly up: string;
  readonly dash: string;
  readonly branch: string;
  readonly lastBranch: string;
  readonly line: string;
  readonly retrace: string;
  readonly path: string;
  readonly more: string;
  readonly late: string;
  readonly orphan: string;
  readonly unclosed: string;
  readonly ended: string;
  readonly atLeast: string;
  readonly dot: string;
  readonly bar: string;
  readonly micro: string;
}

export const UNICODE: Glyphs = {
  open: '┐',
  close: '┘',
  down: '└',
  up: '┌',
  dash: '─',
  branch: '├',
  lastBranch: '└',
  line: '│',
  retrace: '┊',
  path: ' › ',
  more: '…',
  late: '⇠late',
  orphan: '⌀parent=',
  unclosed: '✗',
  ended: '┄',
  atLeast: '≥',
  dot: '·',
  bar: '█',
  micro: 'µs',
};

export const ASCII: Glyphs = {
  open: '+',
  close: "'",
  down: '\\',
  up: '/',
  dash: '-',
  branch: '|',
  lastBranch: '\\',
  line: '|',
  retrace: ':',
  path: ' > ',
  more: '...',
  late: '<-late',
  orphan: '?parent=',
  unclosed: 'x',
  ended: '-',
  atLeast: '>=',
  dot: '.',
  bar: '#',
  micro: 'us',
};
