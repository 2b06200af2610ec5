import type { StreamStats } from '@treeline/core';

/** What became of a stream's records, in one line. */
export function formatStream({ delivered, dropped, deadLettered, queued }: StreamStats): string {
  const parts = [
    ...Object.entries(dropped).map(([reason, count]) => `${count} dropped (${reason})`),
    ...(deadLettered > 0 ? [`${deadLettered} refused by the destination`] : []),
    ...(queued > 0 ? [`${queued} not delivered`] : []),
  ];
  return [`${delivered} delivered`, ...parts].join(', ');
}
