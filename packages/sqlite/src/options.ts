import { messageOf, parseBytes } from '@treeline/contract';
import * as v from 'valibot';
import { INDEX_FIELD } from './index-field.ts';

const MIN_MAX_BYTES = 1024 * 1024;

/** Options of a `sqlite` stream, and of the transport as a pino target. */
export interface SqliteOptions {
  /** The database file; it and its folders are made where they are missing. */
  readonly path: string;
  /**
   * What a committed row survives: with `normal` the end of the process by any signal, with `full` power loss too, at the cost of a
   * disk sync for each batch.
   */
  readonly synchronous: 'normal' | 'full';
  /**
   * Optional indexes: `trace_id`, or paths into the record (`req.status`). Each makes inserting slower by about a third. One that is
   * missing in a store that has many rows is named in a warning, to be made by `createIndexes`.
   */
  readonly indexes: readonly string[];
  /** Whether a full-text index over `msg` is built behind the rows, so that `text` finds what is rare at once. */
  readonly fullText: boolean;
  /** The most bytes that the store may take, its write-ahead log included: the oldest rows are deleted beyond, and counted. */
  readonly maxBytes?: number | undefined;
}

/** Checks and completes the options; loads nothing of SQLite. */
export const options = v.strictObject({
  path: v.optional(
    v.pipe(
      v.string('must be the path of a database file'),
      v.minLength(1, 'must be the path of a database file; got ""'),
      v.description('The database file; it and its folders are made where they are missing.'),
    ),
    'data/logs.db',
  ),
  synchronous: v.optional(
    v.pipe(
      v.picklist(['normal', 'full'], 'must be "normal" or "full"'),
      v.description(
        'What a committed row survives: "normal" the end of the process by any signal, "full" power loss too, at the cost of a disk sync for each batch.',
      ),
    ),
    'normal',
  ),
  indexes: v.optional(
    v.pipe(
      v.array(v.pipe(v.string(), v.regex(INDEX_FIELD, 'must be trace_id or a path like req.status'))),
      v.description('Optional indexes: `trace_id`, or paths into the record (`req.status`).'),
    ),
    [],
  ),
  fullText: v.optional(
    v.pipe(
      v.boolean('must be true or false'),
      v.description(
        'Whether a full-text index over `msg` is built behind the rows, so that a text that is rare is found at once.',
      ),
    ),
    false,
  ),
  maxBytes: v.optional(
    v.pipe(
      v.union([v.number(), v.string()], 'must be a size like "2G"'),
      v.rawTransform(({ dataset, addIssue, NEVER }) => {
        try {
          const bytes = parseBytes(dataset.value);
          if (bytes >= MIN_MAX_BYTES) return bytes;
          addIssue({ message: `must be at least 1M; got ${JSON.stringify(dataset.value)}` });
        } catch (error) {
          addIssue({ message: messageOf(error) });
        }
        return NEVER;
      }),
      v.description(
        'The most bytes that the store may take, its write-ahead log included: the oldest rows are deleted beyond, and counted.',
      ),
    ),
  ),
});
