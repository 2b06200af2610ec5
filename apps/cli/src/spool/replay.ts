import {
  batchFromParts,
  batchToParts,
  createBatch,
  deliver,
  type Batch,
  type BatchHints,
  type Sink,
} from '@treeline/contract';
import {
  claimDeadLetters,
  letterId,
  listDeadLetters,
  openDeadLetters,
  readDeadLetters,
  removeDeadLetters,
  type DeadLetter,
  type DeadLetterOptions,
} from '@treeline/spool';

/** What became of a stream's dead letters. */
export interface Replayed {
  readonly delivered: number;
  /** Refused once more, and kept with the new reason. */
  readonly refused: number;
  /** Not taken in time, and kept. */
  readonly left: number;
}

export interface ReplayTarget {
  readonly sink: Sink;
  readonly hints: BatchHints;
  /** How long the sink may take nothing before the rest is left. */
  readonly timeoutMs: number;
  readonly stop: AbortSignal;
}

/**
 * Offers a stream's dead letters to its sink. A file goes once all of its letters are delivered or kept again elsewhere: a
 * crash in between sends some twice and loses none.
 */
export async function replayLetters(place: DeadLetterOptions, target: ReplayTarget): Promise<Replayed> {
  const { sink } = target;
  const total = { delivered: 0, refused: 0, left: 0 };
  const seen = new Set<string>();
  for (const path of filesOf(place)) {
    if (total.left > 0) break;
    const claimed = claimDeadLetters(path);
    const letters = readDeadLetters(claimed).letters.filter((letter) => !seen.has(letterId(letter)));
    for (const letter of letters) seen.add(letterId(letter));
    const outcome = await offerAll(letters, target);
    await sink.flush();
    keepAgain(place, [...outcome.refused, ...outcome.left]);
    removeDeadLetters(claimed);
    total.delivered += letters.length - outcome.refused.length - outcome.left.length;
    total.refused += outcome.refused.length;
    total.left += outcome.left.length;
  }
  return total;
}

function filesOf({ stateDirectory, service, streamKey }: DeadLetterOptions): string[] {
  return listDeadLetters(stateDirectory)
    .filter((file) => file.service === service && file.streamKey === streamKey)
    .map(({ path }) => path);
}

interface Offered {
  readonly refused: DeadLetter[];
  readonly left: DeadLetter[];
}

async function offerAll(letters: readonly DeadLetter[], target: ReplayTarget): Promise<Offered> {
  const offered: Offered = { refused: [], left: [] };
  for (const batch of inBatches(byLog(letters), target.hints)) {
    if (offered.left.length > 0) offered.left.push(...batch);
    else await offer(batch, target, offered);
  }
  return offered;
}

async function offer(letters: readonly DeadLetter[], target: ReplayTarget, offered: Offered): Promise<void> {
  const signal = AbortSignal.any([target.stop, AbortSignal.timeout(target.timeoutMs)]);
  const { dead, pending } = await deliver(target.sink, batchOf(letters, target.sink), { signal });
  const waiting = byLine(letters);
  const take = (line: Buffer): DeadLetter[] => waiting.get(textOf(line))?.splice(0, 1) ?? [];
  const atMs = Date.now();
  for (const { line, reason } of dead) {
    offered.refused.push(...take(line).map((letter) => ({ ...letter, atMs, reason })));
  }
  for (let index = 0; index < (pending?.count ?? 0); index++) {
    if (pending) offered.left.push(...take(pending.line(index)));
  }
}

/**
 * Under the places that the letters have in their log, so that what tells records apart by them sees the same record in every try. A sink
 * that stores positions has passed these long ago, and would leave the letters out.
 */
function batchOf(letters: readonly DeadLetter[], sink: Sink): Batch {
  const batch = createBatch(Buffer.concat(letters.flatMap(({ line }) => [line, LINE_FEED])));
  const last = letters.at(-1);
  if (!last || sink.settledSeq !== undefined) return batch;
  const seqs = Float64Array.from(letters, ({ seq }) => seq);
  return batchFromParts({ ...batchToParts(batch), position: { logId: last.logId, seq: last.seq }, seqs });
}

/** Each log's letters together, in its order. */
function byLog(letters: readonly DeadLetter[]): DeadLetter[] {
  const logIds = [...new Set(letters.map(({ logId }) => logId))];
  return logIds.flatMap((logId) =>
    letters.filter((letter) => letter.logId === logId).toSorted((a, b) => a.seq - b.seq),
  );
}

const LINE_FEED = Buffer.from('\n');

/** Whichever of several equal lines is meant, it is the same line. */
function byLine(letters: readonly DeadLetter[]): Map<string, DeadLetter[]> {
  const groups = new Map<string, DeadLetter[]>();
  for (const letter of letters) {
    const text = textOf(letter.line);
    const group = groups.get(text);
    if (group) group.push(letter);
    else groups.set(text, [letter]);
  }
  return groups;
}

/** One character for each byte: also what is no UTF-8 stays apart. */
function textOf(line: Buffer): string {
  return (line.at(-1) === 0x0a ? line.subarray(0, -1) : line).toString('latin1');
}

function* inBatches(
  letters: readonly DeadLetter[],
  { maxBytes, maxRecords }: BatchHints,
): Generator<DeadLetter[]> {
  let batch: DeadLetter[] = [];
  let bytes = 0;
  for (const letter of letters) {
    const isFull =
      batch.length >= maxRecords ||
      bytes + letter.line.length + 1 > maxBytes ||
      letter.logId !== batch[0]?.logId;
    if (isFull && batch.length > 0) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(letter);
    bytes += letter.line.length + 1;
  }
  if (batch.length > 0) yield batch;
}

/** Where they were kept before there was room for them; that of the claimed file is given back only afterwards. */
function keepAgain(place: DeadLetterOptions, letters: readonly DeadLetter[]): void {
  const kept = openDeadLetters({ ...place, maxBytes: Infinity });
  for (const letter of letters) {
    const outcome = kept.append(letter);
    if (outcome !== 'appended')
      throw new Error(`a dead letter can't be kept again (${outcome}): all of its file stay`, {
        cause: kept.lastError,
      });
  }
  kept.close();
}
