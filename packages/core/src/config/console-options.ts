import * as v from 'valibot';

/** What a `console` stream can be told. */
export interface ConsoleOptions {
  /** Writes to stderr instead of stdout. */
  readonly stderr: boolean;
  /** `auto` is pretty on a terminal where `@treeline/pretty` is installed, and JSON everywhere else; the pipeline formats all others. */
  readonly format: 'auto' | 'json' | 'ecs' | 'otel' | 'logfmt' | 'pretty';
}

export const consoleOptions = v.strictObject({
  stderr: v.optional(v.pipe(v.boolean(), v.description('Writes to stderr instead of stdout.')), false),
  format: v.optional(
    v.pipe(
      v.picklist(['auto', 'json', 'ecs', 'otel', 'logfmt', 'pretty']),
      v.description(
        '`auto`: pretty on a terminal where `@treeline/pretty` is installed, else JSON. `ecs`, `otel` and `logfmt` as on `file` streams.',
      ),
    ),
    'auto',
  ),
});
