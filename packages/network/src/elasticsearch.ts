import { readPrefix, readTimeMs, type Batch } from '@treeline/contract';
import type { Answer, Outcome, Protocol, RecordOutcomes } from './protocol.ts';
import type { ParsedNetworkOptions } from './options.ts';
import { spliceLines } from './body.ts';
import { describeAnswer, statusOutcome } from './status.ts';

const TIMESTAMP = '@timestamp';

/** Nothing else of the answer is read, and it is most of it. */
const ANSWER_FILTER =
  'filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by';

const MAX_REASON = 300;

/**
 * `_bulk` of Elasticsearch and OpenSearch. Each line is created under an id of its own, the only operation that a data stream takes: one
 * that is there already is answered with 409 and counts as delivered, so that no repeat makes a second document.
 */
export function createElasticsearchProtocol({ index }: ParsedNetworkOptions): Protocol {
  return {
    method: 'POST',
    path: `/${encodeURIComponent(index ?? '')}/_bulk?${ANSWER_FILTER}`,
    contentType: 'application/x-ndjson',
    body(lines) {
      return spliceLines(lines, (each) => `"${TIMESTAMP}":${timeOf(lines.batch, each)}`, {
        before: (each) => `{"create":{"_id":"${lines.idOf(each)}"}}\n`,
        replacing: TIMESTAMP,
        keepsOwn: true,
      });
    },
    outcome,
  };
}

/** A data stream takes no document without a time; a line without one has that of its arrival here. */
function timeOf(batch: Batch, index: number): number {
  const prefix = readPrefix(batch.bytes, index === 0 ? 0 : (batch.ends[index - 1] ?? 0));
  const time = prefix?.time ?? batch.record(index).time;
  return Math.trunc(readTimeMs(time) ?? Date.now());
}

interface Item {
  readonly status: number;
  readonly type: string;
  readonly reason: string;
}

function outcome(answer: Answer, count: number): Outcome {
  const general = statusOutcome(answer);
  if (general.kind !== 'delivered') return general;
  // Reasons may take more room than their documents; half of them come in a smaller answer, and ids make the repeat harmless.
  if (!answer.isWhole) return { kind: 'split', reason: 'its answer is larger than is read' };
  const items = readItems(answer);
  // A proxy or a server that is something else: what it did with the documents, nobody knows. Their ids make a repeat harmless.
  if (items?.length !== count)
    return { kind: 'retry', reason: `what it answers is no answer to _bulk: ${describeAnswer(answer)}` };
  return itemOutcomes(items);
}

function itemOutcomes(items: readonly Item[]): Outcome {
  const retry: number[] = [];
  const rewrite: number[] = [];
  const dead: { index: number; reason: string }[] = [];
  let reason = '';
  for (const [index, item] of items.entries()) {
    const told = `${item.status} ${item.type}: ${item.reason}`.slice(0, MAX_REASON);
    switch (classify(item)) {
      case 'delivered':
        break;
      case 'rewrite':
        rewrite.push(index);
        break;
      case 'dead':
        dead.push({ index, reason: told });
        break;
      default:
        retry.push(index);
        reason ||= told;
    }
  }
  const outcomes: RecordOutcomes = { kind: 'records', retry, reason, dead, rewrite };
  return retry.length + dead.length + rewrite.length === 0 ? { kind: 'delivered' } : outcomes;
}

/** A key that stands twice is refused here alone (pino writes it, for a child's binding that a call repeats): parsed, it stands once. */
function classify({ status, type, reason }: Item): 'delivered' | 'retry' | 'rewrite' | 'dead' {
  if (status < 300 || status === 409) return 'delivered';
  if (status === 400 && /duplicate (field|key)/i.test(reason)) return 'rewrite';
  if (type === 'index_closed_exception') return 'retry';
  // 401, 403, 404: rights, a full disk's write block, an index that is missing. Not the document's fault.
  return status === 400 || status === 413 || status === 422 ? 'dead' : 'retry';
}

function readItems({ text }: Answer): Item[] | undefined {
  try {
    const { items } = JSON.parse(text) as { items?: unknown };
    if (!Array.isArray(items)) return undefined;
    const read = items.map(readItem);
    return read.every((item) => item !== undefined) ? read : undefined;
  } catch {
    return undefined;
  }
}

function readItem(value: unknown): Item | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const [result] = Object.values(value as Record<string, unknown>);
  if (typeof result !== 'object' || result === null || !('status' in result)) return undefined;
  if (typeof result.status !== 'number') return undefined;
  const error = 'error' in result && typeof result.error === 'object' ? result.error : undefined;
  return {
    status: result.status,
    type: textOf(error, 'type'),
    reason: `${textOf(error, 'reason')}${causesOf(error)}`,
  };
}

/** The outer reason often says no more than "failed to parse"; what is wrong stands in its causes. */
function causesOf(error: object | null | undefined): string {
  const causes: string[] = [];
  let at: unknown = error;
  while (typeof at === 'object' && at !== null && 'caused_by' in at && causes.length < 4) {
    at = at.caused_by;
    const reason = textOf(at as object | null, 'reason');
    if (reason !== '') causes.push(`; ${reason}`);
  }
  return causes.join('');
}

function textOf(object: object | null | undefined, key: string): string {
  const value: unknown = object ? (object as Record<string, unknown>)[key] : undefined;
  return typeof value === 'string' ? value : '';
}
