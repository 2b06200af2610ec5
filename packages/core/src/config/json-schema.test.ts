import { fileURLToPath } from 'node:url';
import { options as archiveOptions } from '@treeline/archive/options';
import { options as fileOptions } from '@treeline/file/options';
import { options as networkOptions } from '@treeline/network/options';
import { options as sqliteOptions } from '@treeline/sqlite/options';
import { toJsonSchema, type JsonSchema } from '@valibot/to-json-schema';
import * as v from 'valibot';
import { getLanguageService, TextDocument, type LanguageService } from 'vscode-json-languageservice';
import { describe, expect, test } from 'vitest';
import { consoleOptions } from './console-options.ts';
import { formatOptions } from './format-option.ts';
import { rootSchema, streamSchema } from './schema.ts';
import { readConfigSchema } from './schema-file.ts';

const SIZE = '^\\d+(?:\\.\\d+)?\\s*[BbKkMmGgTt]?[Bb]?$';
const DURATION = '^\\d+(?:\\.\\d+)?\\s*(?:ms|[smhdw])?$';
/** A value of any type may come from the environment. */
const REFERENCE = { type: 'string', pattern: '\\$\\{.+\\}' } as const;

function convert(schema: v.GenericSchema): JsonSchema {
  const patterns = unitPatterns(schema);
  return withAnnotations(
    toJsonSchema(schema, {
      typeMode: 'input',
      errorMode: 'ignore',
      target: 'draft-07',
      overrideSchema: ({ valibotSchema, jsonSchema }) => {
        const pattern = patterns.get(valibotSchema);
        if (pattern)
          return { anyOf: [{ type: 'number', minimum: 0 }, { type: 'string', pattern }, REFERENCE] };
        const { type } = jsonSchema;
        if (type === 'boolean' || type === 'number' || type === 'integer' || jsonSchema.enum) {
          return { anyOf: [jsonSchema, REFERENCE] };
        }
        if (jsonSchema.additionalProperties === false)
          return { ...jsonSchema, patternProperties: { '^x-': {} } };
        return undefined;
      },
    }),
  ) as JsonSchema;
}

/** What our schemas say beyond JSON Schema's own words, under names that no validator takes for one. */
function withAnnotations(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withAnnotations);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const isAnnotation = (key === 'reload' || key === 'variable') && typeof item === 'string';
      return [isAnnotation ? `x-${key}` : key, withAnnotations(item)];
    }),
  );
}

/** The unions that a pipe reads as a size or a duration, which show by what the pipe accepts. */
function unitPatterns(root: v.GenericSchema): Map<unknown, string> {
  const patterns = new Map<unknown, string>();
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('pipe' in value && Array.isArray(value.pipe)) {
      const pattern = unitPattern(value as unknown as v.GenericSchema);
      if (pattern) patterns.set(firstOf(value), pattern);
    }
    for (const key of ['wrapped', 'item', 'value'] as const)
      if (key in value) visit((value as Record<string, unknown>)[key]);
    if ('entries' in value && typeof value.entries === 'object')
      for (const entry of Object.values(value.entries ?? {})) visit(entry);
  };
  visit(root);
  return patterns;
}

function firstOf(schema: unknown): unknown {
  let current = schema;
  while (
    typeof current === 'object' &&
    current !== null &&
    'pipe' in current &&
    Array.isArray(current.pipe)
  ) {
    current = current.pipe[0];
  }
  return current;
}

function unitPattern(schema: v.GenericSchema): string | undefined {
  const accepts = (value: string): boolean => v.safeParse(schema, value).success;
  // A text of any kind.
  if (accepts('abc')) return undefined;
  if (accepts('10M') && !accepts('1s')) return SIZE;
  return (accepts('1m') || accepts('1s')) && !accepts('10M') ? DURATION : undefined;
}

const STREAM_TYPES: Record<string, JsonSchema> = {
  console: convert(consoleOptions),
  file: withFormat(convert(fileOptions)),
  sqlite: convert(sqliteOptions),
  network: convert(networkOptions),
  pino: {
    type: 'object',
    properties: {
      target: { type: 'string', description: 'A pino transport that the program listed.' },
      options: { type: 'object', description: 'The options of the target.' },
      ...convert(formatOptions).properties,
    },
    required: ['target'],
  },
};

/** Core formats the lines of a file; the transport alone knows nothing but JSON. */
function withFormat(options: JsonSchema): JsonSchema {
  return { ...options, properties: { ...options.properties, ...convert(formatOptions).properties } };
}

/** Keys that mean nothing in an overlay, and `streams`, which is another thing there. */
const ONLY_AT_THE_TOP = new Set(['$schema', 'version', 'extends', 'environments', 'tests', 'streams']);

function buildSchema(): JsonSchema {
  const root = convert(rootSchema);
  const stream = convert(streamSchema);
  const streamProperties = {
    ...stream.properties,
    type: {
      ...(stream.properties?.['type'] as JsonSchema),
      anyOf: [{ enum: Object.keys(STREAM_TYPES) }, { type: 'string' }],
    },
  } as Record<string, JsonSchema>;
  const streamItem: JsonSchema = {
    type: 'object',
    required: ['type'],
    properties: streamProperties,
    allOf: Object.entries(STREAM_TYPES).map(([type, options]) => ({
      if: { properties: { type: { const: type } }, required: ['type'] },
      // oxlint-disable-next-line unicorn/no-thenable -- JSON Schema's own word.
      then: {
        properties: {
          ...Object.fromEntries(Object.keys(streamProperties).map((key) => [key, true])),
          ...options.properties,
        },
        patternProperties: { '^x-': {} },
        additionalProperties: false,
        ...(options.required ? { required: options.required } : {}),
      },
    })),
  };
  const streamChange: JsonSchema = {
    anyOf: [{ type: 'object', properties: streamProperties }, { type: 'null' }],
  };
  const byName: JsonSchema = {
    type: 'object',
    description: 'Changes to streams by their names; null removes one.',
    additionalProperties: { $ref: '#/definitions/streamChange' },
  };
  const properties = root.properties as Record<string, JsonSchema>;
  const { environments, streams } = properties;
  const overlaid = Object.keys(properties).filter((key) => !ONLY_AT_THE_TOP.has(key));
  return {
    ...root,
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Treeline logging config',
    definitions: { streamChange },
    allowComments: true,
    allowTrailingCommas: true,
    properties: {
      ...properties,
      archive: { ...properties['archive'], ...convert(archiveOptions) },
      streams: {
        ...streams,
        type: ['array', 'object'],
        items: streamItem,
        additionalProperties: byName.additionalProperties,
      },
      environments: {
        ...environments,
        additionalProperties: {
          type: 'object',
          properties: {
            ...Object.fromEntries(overlaid.map((key) => [key, { $ref: `#/properties/${key}` }])),
            streams: byName,
          },
          patternProperties: { '^x-': {} },
          additionalProperties: false,
        },
      },
    },
  } as JsonSchema;
}

describe('the published JSON Schema', () => {
  test('is the one that the schemas of the code give', async () => {
    const file = fileURLToPath(new URL('../../schema/config.schema.json', import.meta.url));
    await expect(`${JSON.stringify(buildSchema(), undefined, 2)}\n`).toMatchFileSnapshot(file);
  });
});

describe('an editor with the language service of VS Code', () => {
  test.each([
    [
      'a founding config with comments',
      '{ "level": "warn",  // production\n "streams": [{ "name": "f", "type": "file", "path": "a", "rotation": { "size": "10M", "interval": "1d", } }] }',
    ],
    ['references for any type', '{ "enabled": "${ON}", "window": "${W:-1M}", "level": "${LOG}" }'],
    [
      'overlays',
      '{ "environments": { "production": { "level": "warn", "streams": { "a": { "level": "info" }, "b": null } } } }',
    ],
    ['keys of others', '{ "x-note": 1, "streams": [{ "type": "console", "x-owner": "me" }] }'],
    [
      'packages',
      '{ "streams": [{ "type": "treeline-kafka", "brokers": [] }, { "type": "pino", "target": "pino-loki", "options": {} }] }',
    ],
  ])('has nothing against %s', async (_, text) => {
    expect(await diagnose(text)).toEqual([]);
  });

  test.each([
    ['an unknown key', '{ "levle": "info" }', /levle is not allowed/],
    ['an unknown level', '{ "level": "inof" }', /./],
    [
      'an unknown key of a stream',
      '{ "streams": [{ "type": "file", "path": "a", "paht": 1 }] }',
      /paht is not allowed/,
    ],
    [
      'a key of another type',
      '{ "streams": [{ "type": "console", "rotation": {} }] }',
      /rotation is not allowed/,
    ],
    ['a missing path', '{ "streams": [{ "type": "file" }] }', /Missing property "path"/],
    ['a size that is none', '{ "window": "10X" }', /./],
    ['a duration that is none', '{ "streams": [{ "type": "console", "flushInterval": "1sec" }] }', /./],
  ])('marks %s', async (_, text, message) => {
    const messages = await diagnose(text);
    expect(messages).toHaveLength(1);
    expect(messages[0]).toMatch(message);
  });

  test.each([
    ['{ "│" }', ['level', 'streams', 'serviceName']],
    ['{ "level": "│" }', ['"debug"', '"info"', '"silent"']],
    ['{ "streams": [{ "type": "file", "│" }] }', ['rotation', 'path', 'filter']],
    ['{ "streams": [{ "type": "│" }] }', ['"file"', '"sqlite"', '"network"']],
  ])('completes %s', async (marked, expected) => {
    const offset = marked.indexOf('│');
    const document = documentOf(marked.replace('│', ''));
    const service = serviceWithSchema();
    const list = await service.doComplete(
      document,
      document.positionAt(offset),
      service.parseJSONDocument(document),
    );
    expect(list?.items.map((item) => item.label)).toEqual(expect.arrayContaining(expected));
  });
});

function documentOf(text: string): TextDocument {
  return TextDocument.create('file:///c.json', 'json', 1, text);
}

function serviceWithSchema(): LanguageService {
  const service = getLanguageService({});
  service.configure({
    validate: true,
    schemas: [
      { uri: 'treeline://schema', fileMatch: ['*.json'], schema: JSON.parse(readConfigSchema()) as object },
    ],
  });
  return service;
}

async function diagnose(text: string): Promise<string[]> {
  const document = documentOf(text);
  const service = serviceWithSchema();
  const problems = await service.doValidation(document, service.parseJSONDocument(document));
  return problems.map(({ message }) => (typeof message === 'string' ? message : message.value));
}
