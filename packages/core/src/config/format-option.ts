import * as v from 'valibot';

const FORMATS = ['json', 'ecs', 'otel', 'logfmt'] as const;

/** How streams write a record that don't show it to people; core does it, on the way to the transport. */
export const formatOptions = v.strictObject({
  format: v.optional(
    v.pipe(
      v.picklist(FORMATS),
      v.description(
        'How a record is written: as it was logged (`json`), as a document of the Elastic Common Schema (`ecs`), as OTLP JSON (`otel`), or as `key=value` (`logfmt`).',
      ),
    ),
    'json',
  ),
});

/** The types of streams, beside the console, whose lines can be formatted; others decide it by themselves. */
export const FORMATTED_TYPES: ReadonlySet<string> = new Set(['file', 'pino']);
