import { fileURLToPath } from 'node:url';
import { options as archiveOptions } from '@treeline/archive/options';
import { options as fileOptions } from '@treeline/file/options';
import { options as networkOptions } from '@treeline/network/options';
import { options as sqliteOptions } from '@treeline/sqlite/options';
import { expect, test } from 'vitest';
import { consoleOptions } from './console-options.ts';
import { formatOptions } from './format-option.ts';
import { OTHER_VARIABLES, VARIABLES, variablesFor } from './environment.ts';
import { nodeFrom, type Path } from './node.ts';
import { PROBLEM_CODES } from './problem-codes.ts';
import { reloadClassOf, restartKeys } from './reload-class.ts';
import { LIVE_KEYS, RESTART_KEYS } from './reload-plan.ts';
import { rootSchema, streamSchema } from './schema.ts';
import { defaultOf, descriptionOf, entriesOf, metadataOf, schemaAt, unwrap } from './schema-shape.ts';

interface Row {
  readonly key: string;
  readonly type: string;
  readonly fallback: string;
  readonly description: string;
  readonly variables: string;
  readonly reload: string;
}

/** Rows for the keys of an object schema; nested objects follow their parent. */
function rowsOf(schema: object, at: Path, variableAt: Path = at, prefix = ''): Row[] {
  return Object.entries(entriesOf(schema) ?? {}).flatMap(([key, entry]) => {
    const path = [...at, key];
    const row: Row = {
      key: prefix + key,
      type: typeOf(entry),
      fallback: formatDefault(key, defaultOf(entry)),
      description: descriptionOf(entry) ?? '',
      variables: variablesFor([...variableAt, key])
        .map((name) => `\`${name}\``)
        .join(', '),
      reload: reloadClassOf(path),
    };
    return [row, ...rowsOf(entry, path, [...variableAt, key], `${prefix}${key}.`)];
  });
}

function typeOf(schema: object): string {
  const inner = unwrap(schema) as object;
  if (isUnit(inner)) return unitOf(inner);
  if ('pipe' in inner && Array.isArray(inner.pipe) && inner.pipe[0] !== inner)
    return typeOf({ ...(inner.pipe[0] as object), options: optionsOf(inner) });
  const type = 'type' in inner ? String(inner.type) : '';
  if (type === 'picklist')
    return optionsOf(inner)
      .map((option) => `\`${String(option)}\``)
      .join(' \\| ');
  if (type === 'literal' && 'literal' in inner) return `\`${String(inner.literal)}\``;
  if (type === 'array' && 'item' in inner) return `list of ${typeOf(inner.item as object)}`;
  if (type === 'union')
    return optionsOf(inner)
      .map((option) => typeOf(option as object))
      .join(' or ');
  return { string: 'text', number: 'number', boolean: 'boolean', unknown: 'stream' }[type] ?? 'object';
}

function optionsOf(schema: object): readonly unknown[] {
  return 'options' in schema && Array.isArray(schema.options) ? schema.options : [];
}

interface Validating {
  readonly '~standard': { validate(value: unknown): { issues?: unknown } };
}

function isUnit(schema: object): schema is Validating {
  return (
    'pipe' in schema &&
    !accepts(schema, 'abc') &&
    (accepts(schema, '10M') ? !accepts(schema, '1s') : accepts(schema, '1m'))
  );
}

function accepts(schema: object, value: unknown): boolean {
  return !(schema as Validating)['~standard'].validate(value).issues;
}

function unitOf(schema: Validating): string {
  return accepts(schema, '10M') ? 'size' : 'duration';
}

function formatDefault(key: string, value: unknown): string {
  if (value === undefined) return '';
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) return '';
  // Permissions are numbers in the schema, and octal to people.
  if (/mode$/i.test(key) && typeof value === 'number') return `\`"0${value.toString(8)}"\``;
  return `\`${JSON.stringify(value)}\``;
}

function table(rows: readonly Row[]): string {
  return [
    '| key | type | default | meaning | variable | on reload |',
    '|---|---|---|---|---|---|',
    ...rows.map(
      ({ key, type, fallback, description, variables, reload }) =>
        `| \`${key}\` | ${type} | ${fallback} | ${escapeCell(description)} | ${variables} | ${reload} |`,
    ),
  ].join('\n');
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|');
}

function buildPage(): string {
  const types: [string, object][] = [
    ['console', consoleOptions],
    ['file', { ...fileOptions, entries: { ...fileOptions.entries, ...formatOptions.entries } }],
    ['sqlite', sqliteOptions],
    ['network', networkOptions],
  ];
  const core = new Set(Object.keys(entriesOf(streamSchema) ?? {}));
  const sections = types.map(([type, schema]) => {
    const rows = rowsOf(schema, ['streams', 0], ['streams', type]).filter(
      ({ key }) => !core.has(key.split('.')[0] ?? ''),
    );
    return `## \`${type}\` streams\n\n${table(rows)}`;
  });
  const variables = [
    ...Object.entries(OTHER_VARIABLES).map(([name, description]) => `| \`${name}\` | ${description} |`),
    '| `LOG_LEVEL_<STREAM>` | The level of one stream; its name in capitals, other characters as `_`. |',
    ...VARIABLES.map(({ name, description }) => `| \`${name}\` | ${description} |`),
  ];
  const codes = Object.entries(PROBLEM_CODES).map(([code, title]) => `| ${code} | ${title} |`);
  return `# Config reference

Generated from the schemas that check a config; a test fails where they differ. The guide is [guide/config.md](../guide/config.md).

A **size** is a number of bytes or a text such as \`"64K"\`, \`"10M"\`, \`"2G"\` (1024-based); a **duration** a number of milliseconds or a
text such as \`"250ms"\`, \`"5s"\`, \`"1d"\`. Keys that begin with \`x-\` are yours, anywhere. Unknown keys are errors.

## The config

${table(rowsOf(rootSchema, []))}

## Every stream

${table(rowsOf(streamSchema, ['streams', 0], ['streams', '']))}

${sections.join('\n\n')}

## \`pino\` streams

| key | type | default | meaning | variable | on reload |
|---|---|---|---|---|---|
| \`target\` | text |  | A pino transport that the program listed in \`transports\`. |  | swap |
| \`options\` | object | \`{}\` | The options of the target. |  | swap |
| \`format\` | text | \`"json"\` | As on \`file\` streams. |  | live |

## \`archive\`

${table(rowsOf(archiveOptions, ['archive']))}

## Environment variables

| variable | meaning |
|---|---|
${variables.join('\n')}

## Codes of problems

| code | meaning |
|---|---|
${codes.join('\n')}
`;
}

test('docs/reference/config.md is the one that the schemas of the code give', async () => {
  const file = fileURLToPath(new URL('../../../../docs/reference/config.md', import.meta.url));
  await expect(buildPage()).toMatchFileSnapshot(file);
});

test('every key of a config is described', () => {
  const schemas: [object, Path][] = [
    [rootSchema, []],
    [streamSchema, ['streams', 0]],
    [consoleOptions, ['streams', 0]],
    [archiveOptions, ['archive']],
  ];
  const silent = schemas.flatMap(([schema, at]) =>
    rowsOf(schema, at).filter(({ description }) => description === ''),
  );
  expect(silent.map(({ key }) => key)).toEqual([]);
});

test.each(VARIABLES)('$name sets keys that exist, and nothing else', ({ sets, read }) => {
  const types = ['file', 'sqlite'].map((type) => ({ type, name: type }));
  const value = ['true', '5', '10M', './logs'].find(
    (candidate) => typeof read(candidate, config(types)) !== 'string',
  );
  const changes = read(value ?? '', config(types));
  const keys = typeof changes === 'string' ? [] : changes.map(([path]) => generic(path, types));
  expect(keys.map((path) => path.join('.')).toSorted()).toEqual(
    sets.map((path) => path.join('.')).toSorted(),
  );
  expect(sets.filter((path) => !exists(path))).toEqual([]);
});

function config(streams: readonly object[]): ReturnType<typeof nodeFrom> {
  return nodeFrom({ streams }, { kind: 'object' });
}

/** A stream's index becomes its type. */
function generic(path: Path, types: readonly { type: string }[]): Path {
  return path.map((key) => (typeof key === 'number' ? (types[key]?.type ?? key) : key));
}

function exists(path: Path): boolean {
  const schemas: Record<string, object> = { file: fileOptions, sqlite: sqliteOptions };
  const [first, type, ...rest] = path;
  let schema: unknown = first === 'streams' ? schemas[String(type)] : rootSchema;
  for (const key of first === 'streams' ? rest : path) schema = schemaAt(schema, key);
  return schema !== undefined;
}

const FINISHED_KEYS: Readonly<Record<string, string>> = {
  window: 'windowBytes',
  enhancedFeatures: 'features',
  levels: 'directives',
  reload: 'watch',
  shutdown: 'shutdownTimeoutMs',
};

/** They are no part of the finished config, or have plans of their own. */
const OTHER_KEYS = ['$schema', 'extends', 'environments', 'tests', 'streams'];

test('what a reload leaves to the next start is what the schema says', () => {
  // In the finished config some keys have units in their names, the paths are resolved, and there is one version.
  const finished = restartKeys()
    .filter((key) => key !== 'directory' && key !== 'version')
    .map((key) => FINISHED_KEYS[key] ?? key);
  expect(finished.toSorted()).toEqual([...RESTART_KEYS].toSorted());
});

test('what the schema calls live is what a reload applies', () => {
  const live = Object.keys(rootSchema.entries).filter(
    (key) => reloadClassOf([key]) === 'live' && !OTHER_KEYS.includes(key),
  );
  expect(live.map((key) => FINISHED_KEYS[key] ?? key).toSorted()).toEqual([...LIVE_KEYS].toSorted());
});

test('the variables of the whole config are those that its schema names', () => {
  const named = (schema: object, path: Path): string[] =>
    Object.entries(entriesOf(schema) ?? {}).flatMap(([key, entry]) => {
      const name = metadataOf(entry)['variable'];
      const own = typeof name !== 'string' || entriesOf(entry) ? [] : [`${name} ${[...path, key].join('.')}`];
      return [...own, ...named(entry, [...path, key])];
    });
  const root = VARIABLES.flatMap(({ name, sets }) =>
    sets.filter(([first]) => first !== 'streams').map((path) => `${name} ${path.join('.')}`),
  );
  expect(named(rootSchema, []).toSorted()).toEqual(['LOG_LEVEL level', ...root].toSorted());
});
