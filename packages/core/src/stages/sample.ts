import type { StreamConfig } from '../config/config.ts';
import { compileLineFilter } from './line-rule.ts';
import { hashText, readField, spread } from './record-value.ts';
import type { Line, Thinning } from './thinning.ts';

const HASHES = 2 ** 32;

/**
 * Lets a share of the records through. Decided by a hash, of the key's value, else of the record's number: all records of a trace pass
 * or stay together, in every process, and a record that is offered twice gets the same answer.
 */
export function compileSample(sample: NonNullable<StreamConfig['sample']>): Thinning {
  const { rate, key = 'trace_id', keep } = sample;
  const limit = rate * HASHES;
  const kept = keep === undefined ? undefined : compileLineFilter(keep);
  const isKept = (line: Line): boolean =>
    kept !== undefined && (kept.decide(line.level) ?? kept.test(line.record(), line.level));
  const hashOf = (line: Line): number => {
    const value = readField(line.record(), key);
    return value === undefined || value === null
      ? spread(line.seq)
      : hashText(typeof value === 'string' ? value : JSON.stringify(value));
  };
  return { reason: 'sample', passes: (line) => hashOf(line) < limit || isKept(line) };
}
