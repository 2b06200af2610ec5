import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { LineSplitter, messageOf } from '@treeline/contract';
import { openPipeline, type Pipeline, type PipelineStats } from '@treeline/core/ingest';
import { formatProblems, loadConfig, type LoadedConfig } from '@treeline/core/config';
import { loadContext, type ConfigFlags } from '../config-source.ts';
import { awaitEndSignal, type EndSignal } from '../end-signal.ts';
import { EXIT } from '../exit-code.ts';
import { settle } from '../settle.ts';
import { formatStream } from '../stream-summary.ts';
import { tell, writeError } from '../terminal.ts';

export interface RunFlags extends ConfigFlags {
  /** Undefined: what the environment or the working directory names. */
  readonly config?: string;
  readonly stats?: boolean;
}

/** What was read of the input. */
interface Intake {
  readonly splitter: LineSplitter;
  state: 'reading' | 'ended' | 'given up' | 'failed';
  fault?: string;
}

/** Sends standard input through the pipeline of a config; gives the exit code. */
export async function run(options: RunFlags): Promise<number> {
  const read = (): LoadedConfig => loadConfig(options.config, loadContext(options));
  const loaded = load(read);
  const { config } = loaded;
  if (process.stdin.isTTY) tell('reads from the terminal, one record a line; Ctrl-D ends');
  const startMs = performance.now();
  const end = awaitEndSignal({ survivesHangUp: true });
  const pipeline = openPipeline(config, { source: { loaded, load: read } });

  const intake: Intake = { splitter: new LineSplitter(), state: 'reading' };
  await readUntilEnd(intake, pipeline, { end, timeoutMs: config.shutdownTimeoutMs / 2 });
  const settled = await settle(pipeline, end, config.shutdownTimeoutMs);
  const stats = pipeline.stats();
  // What can't be delivered is known by now: this only gives the destinations back.
  await pipeline.close({ timeoutMs: settled ? config.shutdownTimeoutMs : 0 });

  tellOfRest(intake, stats, end);
  if (options.stats) tellStats(stats, performance.now() - startMs);
  end.raise();
  return settled && intake.state !== 'failed' ? EXIT.ok : EXIT.failed;
}

function load(read: () => LoadedConfig): LoadedConfig {
  const loaded = read();
  if (loaded.warnings.length > 0) writeError(`${formatProblems(loaded.warnings)}\n`);
  if (loaded.config.enabled) return loaded;
  tell('the config switches logging off ("enabled": false): the input is read and thrown away');
  return { ...loaded, config: { ...loaded.config, streams: [] } };
}

/** Reads to the end. After a signal it goes on for a while: whoever writes to our input has often got the same one and has a last word. */
async function readUntilEnd(
  intake: Intake,
  pipeline: Pipeline,
  { end, timeoutMs }: { readonly end: EndSignal; readonly timeoutMs: number },
): Promise<void> {
  const patience = new AbortController();
  const read = feed(process.stdin, intake, pipeline).finally(() => patience.abort());
  const impatient = end.arrived.then(() => sleep(timeoutMs, undefined, { signal: patience.signal }));
  await Promise.race([read, impatient]);
  if (intake.state === 'reading') {
    intake.state = 'given up';
    process.stdin.destroy();
  }
  const rest = intake.splitter.end();
  if (rest) void pipeline.write(rest);
}

async function feed(input: Readable, intake: Intake, pipeline: Pipeline): Promise<void> {
  try {
    for await (const chunk of input) {
      const lines = intake.splitter.push(chunk as Buffer);
      // Waiting here stops the reading: a slow destination makes the writer of our input slow, not our memory large.
      if (lines) await pipeline.write(lines);
    }
    intake.state = 'ended';
  } catch (error) {
    // Giving up destroys the stream under the loop.
    if (intake.state === 'given up') return;
    intake.state = 'failed';
    intake.fault = messageOf(error);
  }
}

function tellOfRest(
  { splitter, state, fault }: Intake,
  { streams, underWay }: PipelineStats,
  end: EndSignal,
): void {
  if (state === 'failed') tell(`standard input can't be read: ${fault}`);
  if (state === 'given up') tell(`stopped by ${end.received} before the input had ended`);
  const cut = splitter.truncatedLines;
  if (cut > 0)
    tell(
      cut === 1
        ? '1 line was longer than 16M and has been cut'
        : `${cut} lines were longer than 16M and have been cut`,
    );
  for (const [name, { queued, lastError }] of Object.entries(streams)) {
    const count = queued + underWay;
    if (count > 0) {
      tell(
        `${name}: ${count} records were not delivered${lastError ? ` (${lastError})` : ''}; kept for the next start`,
      );
    }
  }
}

function tellStats({ accepted, textLines, streams, windowWaits }: PipelineStats, ms: number): void {
  const seconds = ms / 1000;
  const waited =
    windowWaits.count > 0
      ? `; waited ${(windowWaits.totalMs / 1000).toFixed(1)} s for the slowest stream`
      : '';
  tell(
    `${accepted} lines, ${textLines} of them text, in ${seconds.toFixed(1)} s (${Math.round(accepted / seconds)} a second)${waited}`,
  );
  for (const [name, stream] of Object.entries(streams)) tell(`${name}: ${formatStream(stream)}`);
}
