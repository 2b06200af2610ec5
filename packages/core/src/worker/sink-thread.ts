import {
  batchFromParts,
  batchHints,
  messageOf,
  retryPolicy,
  type Sink,
  type WriteResult,
} from '@treeline/contract';
import { parentPort, workerData } from 'node:worker_threads';
import { loadTransport } from './load-transport.ts';
import type { OpenedSink } from './stream.ts';
import {
  STOP,
  type ThreadCall,
  type ThreadMessage,
  type ThreadRequest,
  type ThreadSpec,
} from './thread-protocol.ts';

/** A thread that runs one sink, for those whose calls block or whose code is not ours. */
const spec = workerData as ThreadSpec;

function post(message: ThreadMessage): void {
  parentPort?.postMessage(message);
}

async function openSink(): Promise<OpenedSink> {
  const { definition } = await loadTransport(spec.moduleUrl);
  const sink = await definition.open(spec.options, {
    streamName: spec.streamName,
    report: (event) => post({ type: 'event', event }),
  });
  return { sink, batch: batchHints(definition, spec.options), retry: retryPolicy(definition, spec.options) };
}

function settledSeqs(sink: Sink): Record<string, number> {
  const known = spec.logIds.flatMap((logId) => {
    const seq = sink.settledSeq?.(logId);
    return seq === undefined ? [] : [[logId, seq] as const];
  });
  return Object.fromEntries(known);
}

async function perform(sink: Sink, request: ThreadRequest): Promise<WriteResult | void> {
  switch (request.type) {
    case 'write':
      return sink.write(batchFromParts(request.batch));
    case 'flush':
      return sink.flush();
    case 'reopen':
      return sink.reopen?.();
    case 'close':
      return sink.close();
  }
}

parentPort?.on('message', (message: ThreadCall | typeof STOP) => {
  if (message === STOP) process.exit();
});

async function run(): Promise<void> {
  let opened: OpenedSink;
  try {
    opened = await openSink();
  } catch (error) {
    post({ type: 'open-failed', error: messageOf(error) });
    return;
  }
  const { sink, batch, retry } = opened;
  parentPort?.on('message', (message: ThreadCall | typeof STOP) => {
    // A pino target is told pino's config through the same port.
    if (message !== STOP && 'request' in message) void answer(sink, message);
  });
  post({ type: 'opened', settledSeqs: settledSeqs(sink), batch, retry });
}

async function answer(sink: Sink, { id, request }: ThreadCall): Promise<void> {
  try {
    post({ type: 'reply', id, result: await perform(sink, request) });
  } catch (error) {
    post({ type: 'failed', id, error: messageOf(error) });
  }
}

void run();
