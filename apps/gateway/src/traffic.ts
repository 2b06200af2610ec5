import { setTimeout as delay } from 'node:timers/promises';
import { readEvents } from './sse.ts';

/** What became of a request, as its client saw it. */
export type Outcome = 'answered' | 'refused' | 'failed' | 'broken off' | 'left';

interface Visit {
  readonly route: string;
  /** After so many tokens the client leaves. */
  readonly leaveAfter?: number;
  /** Sent instead of a well-formed body. */
  readonly body?: string;
}

/** One round of visitors; whether a request fails is decided by its route, so that a run can be compared with the one before. */
const ROUND: readonly Visit[] = [
  { route: 'fast' },
  { route: 'smart' },
  { route: 'fast' },
  { route: 'thrifty' },
  { route: 'fast' },
  { route: 'patient' },
  { route: 'smart' },
  { route: 'fragile' },
  { route: 'fast' },
  { route: 'smart', leaveAfter: 5 },
  { route: 'no-such-route' },
  { route: 'fast', body: '{"model": "fast", "messages": [' },
  { route: 'stubborn' },
];

export interface TrafficOptions {
  readonly url: string;
  readonly rounds: number;
  /** Between the starts of two requests. */
  readonly intervalMs: number;
  readonly signal: AbortSignal;
}

/** Sends rounds of requests, some at the same time, and resolves to what became of them once all are over. */
export async function sendTraffic({
  url,
  rounds,
  intervalMs,
  signal,
}: TrafficOptions): Promise<ReadonlyMap<Outcome, number>> {
  const visits: Promise<Outcome>[] = [];
  for (const visit of Array.from({ length: rounds }, () => ROUND).flat()) {
    if (signal.aborted) break;
    visits.push(sendVisit(url, visit, signal));
    await delay(intervalMs, undefined, { signal }).catch(() => {});
  }
  const counts = new Map<Outcome, number>();
  for (const outcome of await Promise.all(visits)) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return counts;
}

async function sendVisit(url: string, visit: Visit, signal: AbortSignal): Promise<Outcome> {
  const leaving = new AbortController();
  try {
    const response = await fetch(`${url}/v1/chat`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body:
        visit.body ??
        JSON.stringify({ model: visit.route, messages: [{ role: 'user', content: 'what is a log?' }] }),
      signal: AbortSignal.any([signal, leaving.signal]),
    });
    if (!response.ok || !response.body) {
      await response.arrayBuffer();
      return response.status < 500 ? 'refused' : 'failed';
    }
    return await readAnswer(response.body, visit.leaveAfter);
  } catch {
    return signal.aborted ? 'left' : 'failed';
  } finally {
    leaving.abort();
  }
}

async function readAnswer(body: AsyncIterable<Uint8Array>, leaveAfter: number | undefined): Promise<Outcome> {
  let tokens = 0;
  for await (const { event } of readEvents(body)) {
    if (event === 'done') return 'answered';
    if (event === 'error') return 'broken off';
    tokens += 1;
    if (tokens === leaveAfter) return 'left';
  }
  return 'broken off';
}
