/** Looks back: how many runs have failed within the last minute. */
export default function trouble({ queryLogs }) {
  return queryLogs({ source: 'reflex', type: 'error', since: '1m' }).length;
}
