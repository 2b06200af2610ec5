import type { Batch, Delivery } from '@treeline/contract';
import { openDeadLetters, type DeadLetters } from '@treeline/spool';
import type { PipelineConfig, StreamConfig } from '../config/config.ts';
import type { DropReason } from '../control-block.ts';
import { serviceOf } from '../service.ts';
import { streamKey } from '../stream-key.ts';

/** What became of the records that a destination refused for good. */
export interface RefusedOutcome {
  /** Kept as dead letters. */
  readonly kept: number;
  readonly dropped: ReadonlyMap<DropReason, number>;
}

/**
 * Keeps what a stream's destination refuses for good, as dead letters in the state directory. A console keeps nothing: it refuses
 * when its reader has gone (`| head`), which no other reader mends.
 */
export class RefusedRecords {
  readonly #letters: DeadLetters | undefined;

  constructor(config: PipelineConfig, stream: StreamConfig) {
    if (stream.type === 'console') return;
    this.#letters = openDeadLetters({
      stateDirectory: config.stateDirectory,
      service: serviceOf(config),
      streamKey: streamKey(stream),
      durability: config.durability === 'power' ? 'power' : 'process',
    });
  }

  /** Keeps them before their cursor moves past them: a crash in between keeps them twice, under the same id. */
  keep({ position }: Batch, dead: Delivery['dead']): RefusedOutcome {
    const dropped = new Map<DropReason, number>();
    let kept = 0;
    for (const { line, seq, reason } of dead) {
      const outcome = this.#keepOne(position?.logId, seq, line, reason);
      if (outcome === undefined) kept++;
      else dropped.set(outcome, (dropped.get(outcome) ?? 0) + 1);
    }
    return { kept, dropped };
  }

  close(): void {
    this.#letters?.close();
  }

  #keepOne(logId: string | undefined, seq: number, line: Buffer, reason: string): DropReason | undefined {
    if (!this.#letters) return 'reader-gone';
    // A notice of ours has no place in the log, by which a letter is told from its double.
    if (logId === undefined) return 'refused';
    const letter = { logId, seq, atMs: Date.now(), reason, line: withoutLineFeed(line) };
    const outcome = this.#letters.append(letter);
    if (outcome === 'appended') return undefined;
    if (outcome === 'full') return 'refused';
    return outcome === 'no-space' ? 'disk-full' : 'disk-fault';
  }
}

function withoutLineFeed(line: Buffer): Buffer {
  return line.at(-1) === 0x0a ? line.subarray(0, -1) : line;
}
