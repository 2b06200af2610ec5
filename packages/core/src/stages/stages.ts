import { batchFromParts, readPrefix, selectLines, type Batch, type LogRecord } from '@treeline/contract';
import type { PipelineConfig, StreamConfig } from '../config/config.ts';
import type { DropReason } from '../control-block.ts';
import { replaced } from '../shortened.ts';
import { compileDedupe } from './dedupe.ts';
import { compileFields } from './fields.ts';
import { compileFormat } from './format.ts';
import { compileRateLimit } from './rate-limit.ts';
import { compileRedact, type LineTransform } from './redact.ts';
import { compileSample } from './sample.ts';
import type { Line, Thinning } from './thinning.ts';

/** What becomes of a batch on its way to the sink. */
export interface Staged {
  readonly batch: Batch;
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
}

/**
 * What happens to the records that a stream has accepted, between its backlog and its sink:
 *
 *     sample ► dedupe ► rateLimit ► redact ► fields ► format
 *
 * The first three leave records out, the others change lines. Here and not where lines are accepted: what waits on disk stays as it was
 * logged, and a line that is read back is not judged twice.
 */
export interface Stages {
  process(batch: Batch): Staged;
  /** Changes lines that are no records of the log: nothing is left out. */
  dress(batch: Batch): Batch;
  /** When the next summary is due, unix milliseconds; Infinity for none. */
  dueMs(): number;
  /** The summaries that are due; with Infinity all that are open. */
  takeSummaries(nowMs: number): LogRecord[];
}

export type StageConfig = Pick<
  StreamConfig,
  'sample' | 'rateLimit' | 'dedupe' | 'redact' | 'fields' | 'format'
>;

export type CommonStageConfig = Pick<PipelineConfig, 'redact' | 'serviceVersion' | 'environment'>;

/**
 * Puts a stream's stages together; those that it doesn't ask for cost nothing. A line that they can't handle, as one that is nested too
 * deep, never stops the stream: it is left out by none of them, and goes on with its text replaced where one would have changed it.
 * `failed` is told how many.
 */
export function compileStages(
  stream: StageConfig,
  common: CommonStageConfig,
  failed: (count: number) => void = () => undefined,
): Stages {
  const thinnings = [
    stream.sample && compileSample(stream.sample),
    stream.dedupe && compileDedupe(stream.dedupe),
    stream.rateLimit && compileRateLimit(stream.rateLimit),
  ].filter((stage) => stage !== undefined);
  const transforms = [
    compileRedact([common.redact, stream.redact].filter((redact) => redact !== undefined)),
    stream.fields && compileFields(stream.fields),
    stream.format &&
      compileFormat(stream.format, { version: common.serviceVersion, environment: common.environment }),
  ].filter((stage) => stage !== undefined);
  const dress = (batch: Batch): Batch => transformLines(batch, transforms, failed);
  return {
    process(batch) {
      const { batch: thinned, dropped } = thin(batch, thinnings, failed);
      return { batch: dress(thinned), dropped };
    },
    dress,
    dueMs: () => Math.min(Infinity, ...thinnings.map((stage) => stage.dueMs?.() ?? Infinity)),
    takeSummaries: (nowMs) => thinnings.flatMap((stage) => stage.takeSummaries?.(nowMs) ?? []),
  };
}

function thin(batch: Batch, stages: readonly Thinning[], failed: (count: number) => void): Staged {
  if (stages.length === 0) return { batch, dropped: {} };
  const dropped: Partial<Record<DropReason, number>> = {};
  const indexes: number[] = [];
  let failures = 0;
  const passes = (stage: Thinning, line: Line): boolean => {
    try {
      return stage.passes(line);
    } catch {
      failures++;
      return true;
    }
  };
  for (let index = 0; index < batch.count; index++) {
    const line = {
      level: batch.levels[index] ?? 0,
      seq: batch.seq(index),
      timeMs: readPrefix(batch.bytes, startOf(batch, index))?.time ?? Date.now(),
      record: () => batch.record(index),
    };
    const refusing = stages.find((stage) => !passes(stage, line));
    if (refusing) dropped[refusing.reason] = (dropped[refusing.reason] ?? 0) + 1;
    else indexes.push(index);
  }
  if (failures > 0) failed(failures);
  return { batch: indexes.length === batch.count ? batch : selectLines(batch, indexes), dropped };
}

function startOf(batch: Batch, index: number): number {
  return index === 0 ? 0 : (batch.ends[index - 1] ?? 0);
}

/** Lines keep their levels and numbers, whatever they look like afterwards. */
function transformLines(
  batch: Batch,
  transforms: readonly LineTransform[],
  failed: (count: number) => void,
): Batch {
  if (transforms.length === 0 || batch.count === 0) return batch;
  let isChanged = false;
  let failures = 0;
  const transform = (line: string): string => transforms.reduce((text, apply) => apply(text), line);
  const lines = Array.from({ length: batch.count }, (_, index) => {
    const before = batch.line(index).toString();
    let after: string;
    try {
      after = transform(before);
    } catch {
      failures++;
      after = transform(replaced(before));
    }
    isChanged ||= after !== before;
    return `${after}\n`;
  });
  if (failures > 0) failed(failures);
  if (!isChanged) return batch;
  const ends = new Uint32Array(batch.count);
  let length = 0;
  for (const [index, line] of lines.entries()) ends[index] = length += Buffer.byteLength(line);
  const bytes = Buffer.allocUnsafeSlow(length);
  bytes.write(lines.join(''));
  const seqs = Float64Array.from({ length: batch.count }, (_, index) => batch.seq(index));
  return batchFromParts({ bytes, ends, levels: batch.levels, position: batch.position, seqs });
}
