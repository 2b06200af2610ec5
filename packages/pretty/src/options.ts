import * as v from 'valibot';

const DESTINATION = 'destination must be 1 (standard output), 2 (standard error), or a path';

/** What the printer and its transport can be told; every key has a default. */
export const options = v.strictObject({
  destination: v.pipe(
    v.optional(
      v.union([v.literal(1), v.literal(2), v.pipe(v.string(), v.nonEmpty(DESTINATION))], DESTINATION),
      1,
    ),
    v.description('Where to print: `1` (standard output), `2` (standard error), or a path.'),
  ),
  mode: v.pipe(
    v.optional(v.picklist(['auto', 'live', 'flat'], 'mode must be one of auto, live, flat'), 'auto'),
    v.description(
      'The shape of the output. `auto` is `live` on a terminal and `flat` (one physical line for each record) elsewhere.',
    ),
  ),
  color: v.pipe(
    v.optional(v.picklist(['auto', 'always', 'never'], 'color must be one of auto, always, never'), 'auto'),
    v.description(
      'Whether to colour. `auto` asks `FORCE_COLOR`, `NO_COLOR`, `TERM`, then whether a terminal is written to; off in CI.',
    ),
  ),
  time: v.pipe(
    v.optional(
      v.picklist(['auto', 'iso', 'local', 'none'], 'time must be one of auto, iso, local, none'),
      'auto',
    ),
    v.description('How to print times. `auto` is `local` in `live` and `iso` in `flat`.'),
  ),
  utc: v.pipe(
    v.optional(v.boolean('utc must be true or false'), false),
    v.description('Whether `local` means UTC.'),
  ),
});

/** Options as they are written. */
export type PrettyOptions = v.InferInput<typeof options>;

/** Options with every default filled in. */
export type ParsedPrettyOptions = v.InferOutput<typeof options>;
