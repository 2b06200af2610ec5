import * as v from 'valibot';

/** Options of a `sqlite` stream, and of the transport as a pino target. */
export interface SqliteOptions {
  /** The database file; it and its folders are made where they are missing. */
  readonly path: string;
  /**
   * What a committed row survives: with `normal` the end of the process by any signal, with `full` power loss too, at the cost of a
   * disk sync for each batch.
   */
  readonly synchronous: 'normal' | 'full';
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
});
