/**
 * Places where a test may kill the process: `TREELINE_FAILPOINT=<name>` or `<name>:<nth time>` sends SIGKILL to the own process
 * there. The codes are the crash points of the README's table.
 */
export const FAILPOINTS = [
  'append-before',
  'append-torn',
  'append-after',
  'sync-before',
  'sync-after',
  'roll-before',
  'segment-created',
  'segment-header-torn',
  'cursors-before',
  'cursors-torn',
  'cursors-after',
  'dead-letter-before',
  'dead-letter-torn',
  'dead-letter-after',
  'release-before',
  'release-after',
  'remove-midway',
  'owner-listening',
  'log-directory-created',
  'adopt-before',
  'adopt-after',
] as const;

export type Failpoint = (typeof FAILPOINTS)[number];

interface Armed {
  readonly name: string;
  remaining: number;
}

const armed = readArmed(process.env['TREELINE_FAILPOINT']);

/** Ends the process here if the failpoint is armed and its turn has come. */
export function failpoint(name: Failpoint): void {
  if (armed !== undefined && isDue(name)) kill();
}

/** For writes that a test wants cut: true when the caller is to write a part and then `kill()`. */
export function failpointTears(name: Failpoint): boolean {
  return armed !== undefined && isDue(name);
}

/** The end that `kill -9` makes, from inside. */
export function kill(): never {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('the process outlived SIGKILL');
}

function isDue(name: Failpoint): boolean {
  return armed?.name === name && --armed.remaining === 0;
}

function readArmed(text: string | undefined): Armed | undefined {
  if (text === undefined || text === '') return undefined;
  const [name = '', nth = '1'] = text.split(':');
  return { name, remaining: Number(nth) };
}
