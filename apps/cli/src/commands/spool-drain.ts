import { formatDuration } from '@treeline/contract';
import { openPipeline } from '@treeline/core/ingest';
import { listLogs } from '@treeline/spool';
import { awaitEndSignal } from '../end-signal.ts';
import { EXIT } from '../exit-code.ts';
import { settle } from '../settle.ts';
import { measureLag } from '../spool/log-lag.ts';
import { loadSpoolState, readTimeout, type SpoolFlags, type SpoolState } from '../spool/state.ts';
import { formatStream } from '../stream-summary.ts';
import { tell } from '../terminal.ts';

export interface SpoolDrainFlags extends SpoolFlags {
  /** How long the streams may get no further. */
  readonly timeout: string;
}

/** Delivers what dead processes of the config's service left, for a program that does not start again. */
export async function drain(flags: SpoolDrainFlags): Promise<number> {
  const timeoutMs = readTimeout(flags.timeout);
  const state = loadSpoolState(flags);
  if (!(await hasDeadLog(state))) {
    tell(`no process of ${state.service} that has ended left anything in ${state.directory}`);
    return EXIT.ok;
  }
  const end = awaitEndSignal();
  const pipeline = openPipeline(state.config);
  pipeline.takeOver();
  const settled = await settle(pipeline, end, timeoutMs);
  const { streams } = pipeline.stats();
  await pipeline.close({ timeoutMs: settled ? state.config.shutdownTimeoutMs : 0 });
  for (const [name, stream] of Object.entries(streams)) tell(`${name}: ${formatStream(stream)}`);
  const left = await tellWhatIsLeft(state);
  if (!settled) tell(`given up: a stream got no further for ${formatDuration(timeoutMs)}`);
  end.raise();
  return settled && left === 0 ? EXIT.ok : EXIT.failed;
}

async function hasDeadLog({ directory, service }: SpoolState): Promise<boolean> {
  const logs = await listLogs(directory);
  return logs.some((log) => log.service === service && log.owner === 'dead');
}

/** Tells what stays, and for whom; returns how many records the config's own streams have still to come. */
async function tellWhatIsLeft({ directory, service, streams }: SpoolState): Promise<number> {
  let ofOurs = 0;
  for (const log of await listLogs(directory)) {
    if (log.service !== service || log.owner === 'live') continue;
    for (const { streamKey, records } of measureLag(log).streams) {
      if (records === 0) continue;
      const isOurs = streams.has(streamKey);
      if (isOurs) ofOurs += records;
      const why = isOurs ? '' : ': no stream of this config has its name and destination';
      tell(`log ${log.logId} keeps ${records} records for ${streamKey}${why}`);
    }
  }
  return ofOurs;
}
