import { parseLine } from '@treeline/contract';
import type { StreamConfig } from '../config/config.ts';
import { toEcs } from './ecs.ts';
import { toLogfmt } from './logfmt.ts';
import { toOtel } from './otel.ts';
import type { LineTransform } from './redact.ts';

/** What formats of whole services want to know beyond the record. */
export interface ServiceFacts {
  readonly version?: string | undefined;
  readonly environment?: string | undefined;
}

/** Writes records in another form than they were logged in. */
export function compileFormat(
  format: NonNullable<StreamConfig['format']>,
  service: ServiceFacts,
): LineTransform {
  const write = FORMATS[format];
  return (line) => write(parseLine(line), service);
}

const FORMATS = { ecs: toEcs, otel: toOtel, logfmt: toLogfmt };
