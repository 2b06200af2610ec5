/**
 * Places where a test may end the process: `TREELINE_FAILPOINT=<name>` or `<name>:<nth time>` sends SIGKILL to the own process there.
 * They are the steps of a run, in order; what each leaves behind stands in the README's table.
 */
export const FAILPOINTS = [
  'archive-lease-taken',
  'archive-planned',
  'archive-export-midway',
  'archive-exported',
  'archive-synced',
  'archive-compared',
  'archive-published',
  'archive-manifest-written',
  'archive-manifest-published',
  'archive-head-published',
  'archive-sealed',
  'archive-delete-midway',
  'archive-deleted',
  'archive-reclaim-midway',
  'archive-done',
] as const;

export type Failpoint = (typeof FAILPOINTS)[number];

const [armedName, nth = '1'] = (process.env['TREELINE_FAILPOINT'] ?? '').split(':');
let remaining = Number(nth);

/** Ends the process here if the failpoint is armed and its turn has come. */
export function failpoint(name: Failpoint): void {
  if (name === armedName && --remaining === 0) process.kill(process.pid, 'SIGKILL');
}
