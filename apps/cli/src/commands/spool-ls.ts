import { formatBytes } from '@treeline/contract';
import { listLogs, type LogListing } from '@treeline/spool';
import { EXIT } from '../exit-code.ts';
import { countReasons, readLetterGroups, type LetterGroup } from '../spool/dead-letters.ts';
import { measureLag, type LogLag, type StreamLag } from '../spool/log-lag.ts';
import { loadSpoolState, type SpoolFlags, type SpoolState } from '../spool/state.ts';
import { printable, tell, writeOut } from '../terminal.ts';

export interface SpoolListFlags extends SpoolFlags {
  readonly output: 'text' | 'json';
}

/** Reasons may differ from record to record: so many are shown for people. */
const MAX_REASONS = 10;

/** Prints what the state directory holds: each log with its owner and how far its streams lag, and the dead letters. */
export async function list(flags: SpoolListFlags): Promise<number> {
  const state = loadSpoolState(flags);
  const logs = (await listLogs(state.directory)).map((log) => ({ log, lag: measureLag(log) }));
  const groups = readLetterGroups(state.directory);
  if (flags.output === 'json') writeOut(`${JSON.stringify(asJson(state, logs, groups), undefined, 2)}\n`);
  else {
    const lines = [...logs.flatMap((each) => describeLog(each, state)), ...groups.flatMap(describeLetters)];
    writeOut(lines.map((line) => `${printable(line)}\n`).join(''));
    if (lines.length === 0) tell(`nothing is kept in ${state.directory}`);
  }
  return EXIT.ok;
}

interface MeasuredLog {
  readonly log: LogListing;
  readonly lag: LogLag;
}

function describeLog({ log, lag }: MeasuredLog, state: SpoolState): string[] {
  const segments = log.segments === 1 ? '1 segment' : `${log.segments} segments`;
  const created = log.createdAtMs === undefined ? '' : `, since ${new Date(log.createdAtMs).toISOString()}`;
  const damaged = lag.damagedRecords > 0 ? [`  ${lag.damagedRecords} records can't be read any more`] : [];
  return [
    `log ${log.logId} of ${log.service}: ${ownerOf(log)}${created}, ${formatBytes(log.bytes)} in ${segments}`,
    ...streamsOf(log, lag, state),
    ...damaged,
  ];
}

const OWNER_STATES: Readonly<Record<LogListing['owner'], string>> = {
  live: 'its process lives',
  dead: 'its process is dead',
  foreign: "its process is on a host that can't be asked from here",
};

function ownerOf({ owner, ownerPid }: LogListing): string {
  return ownerPid === undefined ? OWNER_STATES[owner] : `${OWNER_STATES[owner]} (pid ${ownerPid})`;
}

function streamsOf(log: LogListing, { streams }: LogLag, state: SpoolState): string[] {
  if (log.cursors.state === 'damaged')
    return ['  the cursors are damaged: every stream will be sent all of it'];
  if (streams.length === 0) return ['  no stream has a cursor yet'];
  const width = Math.max(...streams.map(({ streamKey }) => streamKey.length));
  return streams.map((stream) => {
    const stranger = isKnown(log, stream, state)
      ? ''
      : '; no stream of this config has its name and destination';
    return `  ${stream.streamKey.padEnd(width)}  ${describeLag(stream)}${stranger}`;
  });
}

function isKnown(log: LogListing, { streamKey }: StreamLag, { service, streams }: SpoolState): boolean {
  return log.service === service && streams.has(streamKey);
}

function describeLag({ records, bytes }: StreamLag): string {
  if (records === 0) return 'has had everything';
  return records === 1
    ? `1 record to come (${formatBytes(bytes)})`
    : `${records} records to come (${formatBytes(bytes)})`;
}

function describeLetters({ service, streamKey, letters, bytes, tornBytes }: LetterGroup): string[] {
  const reasons = countReasons(letters);
  const others = reasons.length - MAX_REASONS;
  const torn = tornBytes > 0 ? [`  ${tornBytes} bytes of letters that were cut`] : [];
  return [
    `dead letters of ${service}, ${streamKey}: ${letters.length} (${formatBytes(bytes)})`,
    ...reasons.slice(0, MAX_REASONS).map(([reason, count]) => `  ${count}  ${reason}`),
    ...(others > 0 ? [`  … ${others} more reasons`] : []),
    ...torn,
  ];
}

function asJson(state: SpoolState, logs: readonly MeasuredLog[], groups: readonly LetterGroup[]): object {
  return {
    stateDirectory: state.directory,
    logs: logs.map(({ log, lag }) => ({
      logId: log.logId,
      service: log.service,
      directory: log.directory,
      owner: log.owner,
      ownerPid: log.ownerPid,
      createdAtMs: log.createdAtMs,
      bytes: log.bytes,
      segments: log.segments,
      firstSeq: log.firstSeq,
      lastSeq: log.lastSeq,
      cursors: log.cursors.state,
      damagedRecords: lag.damagedRecords,
      streams: lag.streams.map((stream) => ({
        ...stream,
        cursor: log.cursors.streams.get(stream.streamKey)?.seq,
        known: isKnown(log, stream, state),
      })),
    })),
    deadLetters: groups.map(({ service, streamKey, letters, bytes, tornBytes }) => ({
      service,
      streamKey,
      records: letters.length,
      bytes,
      tornBytes,
      reasons: Object.fromEntries(countReasons(letters)),
    })),
  };
}
