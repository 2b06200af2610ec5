import { LEVELS } from '@treeline/contract';
import type { Line } from './line.ts';
import type { Step } from './span-table.ts';

/** Fastify's first line of a request says nothing more than that it begins. */
const BEGIN_MESSAGE = 'incoming request';

/** Whether the line tells no more than that its request began or ended, which the tree shows by itself. */
export function isBoundaryOnly(line: Line, op: Step['op']): boolean {
  const saysMore = line.fields.length > 0 || line.errors.length > 0 || line.level >= LEVELS.warn;
  return !saysMore && (op === 'close' || (op === 'open' && line.message === BEGIN_MESSAGE));
}
