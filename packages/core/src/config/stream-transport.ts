import tty from 'node:tty';
import type { OptionsSchema } from '@treeline/contract';
import { closest } from '@treeline/query/closest';
import type { StreamConfig } from './config.ts';
import { consoleOptions, type ConsoleOptions } from './console-options.ts';
import {
  firstCharacter,
  keyOriginAt,
  nodeAt,
  originAt,
  textAt,
  toValue,
  withoutKey,
  withValue,
  type ConfigNode,
  type Member,
} from './node.ts';
import { FORMATTED_TYPES, formatOptions } from './format-option.ts';
import { resolvePath, type Directories } from './destination.ts';
import type { Finding, ProblemList } from './problem-list.ts';
import { streamSchema } from './schema.ts';
import {
  isOwnType,
  listedModule,
  loadOptionsSchema,
  OWN_TRANSPORTS,
  PRINTER,
  type ListedTransport,
  type OwnType,
  type Resolve,
} from './transports.ts';
import { validate } from './validate.ts';

export interface TransportContext {
  readonly problems: ProblemList;
  readonly resolve: Resolve;
  readonly transports: readonly ListedTransport[];
  readonly directories: Directories;
}

/** What a stream's type stands for, and its options as the transport's schema gave them back. */
export interface StreamTransport {
  /** Undefined for core's own console. */
  readonly moduleUrl: string | undefined;
  readonly options: unknown;
  /** How core writes the lines before the transport gets them. */
  readonly format?: StreamConfig['format'];
  /** Of the options; undefined where their own thread checks them. */
  readonly schema?: OptionsSchema<unknown>;
}

/** A stream in the config: its own node, and what messages call it. */
export interface StreamPlace {
  readonly node: ConfigNode;
  readonly index: number;
  readonly type: string;
  readonly subject: string;
}

/** Finds a stream's transport and checks its options; undefined where it can't run, with a problem that says why. */
export function readTransport(
  place: StreamPlace,
  options: ConfigNode,
  context: TransportContext,
): StreamTransport | undefined {
  const { type } = place;
  if (type === 'console') return readConsole(place, options, context);
  if (!FORMATTED_TYPES.has(type)) return readUnformatted(place, options, context);
  const { format, rest } = takeFormat(place, options, context);
  const transport = type === 'pino' ? readPino(place, rest, context) : readUnformatted(place, rest, context);
  return transport && { ...transport, ...(format && { format }) };
}

/** Core's own option, which the transport doesn't see. */
function takeFormat(
  place: StreamPlace,
  options: ConfigNode,
  { problems }: TransportContext,
): { format: StreamConfig['format']; rest: ConfigNode } {
  const given = nodeAt(options, ['format']);
  if (!given || options.kind !== 'object') return { format: undefined, rest: options };
  const own = new Map([...options.members].filter(([key]) => key === 'format'));
  const checked = validate(formatOptions, { ...options, members: own }, problems, {
    at: ['streams', place.index],
    subject: place.subject,
  });
  return { format: coreFormat(checked?.format), rest: withoutKey(options, ['format']) };
}

/** What the pipeline has to do for a format: JSON is what it has, and people are the printer's. */
function coreFormat(format: ConsoleOptions['format'] | undefined): StreamConfig['format'] {
  return format === 'ecs' || format === 'otel' || format === 'logfmt' ? format : undefined;
}

function readUnformatted(
  place: StreamPlace,
  options: ConfigNode,
  context: TransportContext,
): StreamTransport | undefined {
  const { type } = place;
  const listed = listedModule(type, context.transports);
  const isOwnFile = listed === undefined && type === 'file';
  const located = (isOwnFile ? ['path', 'symlink'] : ['path']).reduce(
    (node, key) => withAbsolutePath(node, key, context.directories),
    options,
  );
  if (listed === undefined && isOwnType(type)) return readOwn(type, place, located, context);
  if (listed === undefined) return refuse(unknownType(type, context.transports), place, 'type', context);
  const module = context.resolve(listed);
  if ('finding' in module) return refuse(module.finding, place, 'type', context);
  return { moduleUrl: module.url, options: toValue(withoutExtensions(located)) };
}

/** The printer takes the place of core's own console where it is asked for. */
function readConsole(
  place: StreamPlace,
  node: ConfigNode,
  context: TransportContext,
): StreamTransport | undefined {
  const transport = checkOptions(consoleOptions, undefined, place, node, context);
  if (!transport) return undefined;
  const { stderr, format } = transport.options as ConsoleOptions;
  const destination = stderr ? 2 : 1;
  const byCore = coreFormat(format);
  if (byCore) return { ...transport, format: byCore };
  if (format === 'json' || (format === 'auto' && !tty.isatty(destination))) return transport;
  const printer = loadPrinter(destination, context);
  if (!('finding' in printer)) return { ...transport, ...printer };
  return format === 'auto' ? transport : refuse(printer.finding, place, 'format', context);
}

/** The printer with the defaults of its own schema. */
function loadPrinter(
  destination: 1 | 2,
  context: TransportContext,
): Pick<StreamTransport, 'moduleUrl' | 'options'> | { readonly finding: Finding } {
  const module = context.resolve(PRINTER);
  if ('finding' in module) return module;
  const loaded = loadOptionsSchema(PRINTER, module);
  if ('finding' in loaded) return loaded;
  const result = loaded.schema['~standard'].validate({ destination });
  if (result instanceof Promise || result.issues) {
    return { finding: { code: 'CFG203', message: `${PRINTER}/options does not take a destination` } };
  }
  return { moduleUrl: module.url, options: result.value };
}

function readOwn(
  type: OwnType,
  place: StreamPlace,
  options: ConfigNode,
  context: TransportContext,
): StreamTransport | undefined {
  const packageName = OWN_TRANSPORTS[type];
  const module = context.resolve(packageName);
  if ('finding' in module) return refuse(module.finding, place, 'type', context);
  const loaded = loadOptionsSchema(packageName, module);
  if ('finding' in loaded) return refuse(loaded.finding, place, 'type', context);
  return checkOptions(loaded.schema, module.url, place, options, context);
}

function checkOptions(
  schema: OptionsSchema<unknown>,
  moduleUrl: string | undefined,
  place: StreamPlace,
  node: ConfigNode,
  { problems, directories }: TransportContext,
): StreamTransport | undefined {
  const options = validate(schema, node, problems, {
    at: ['streams', place.index],
    subject: place.subject,
    otherKeys: Object.keys(streamSchema.entries),
  });
  return options === undefined
    ? undefined
    : { moduleUrl, schema, options: withDefaultPath(options, directories) };
}

/** A path that the schema put in by default is relative too. */
function withDefaultPath(options: unknown, directories: Directories): unknown {
  if (typeof options !== 'object' || options === null || !('path' in options)) return options;
  return typeof options.path === 'string' && options.path !== ''
    ? { ...options, path: resolvePath(options.path, directories) }
    : options;
}

/** Any existing pino transport, which the program has to list: a config never chooses what code runs. */
function readPino(
  place: StreamPlace,
  node: ConfigNode,
  context: TransportContext,
): StreamTransport | undefined {
  const target = textAt(node, ['target']);
  const given = nodeAt(node, ['options']);
  let refused = false;
  const report = (finding: Finding, key: string): void => {
    refused = true;
    refuse(finding, place, key, context);
  };
  for (const key of node.kind === 'object' ? node.members.keys() : []) {
    if (key === 'target' || key === 'options' || key.startsWith('x-')) continue;
    const similar = closest(key, ['target', 'options', ...Object.keys(streamSchema.entries)]);
    const suggestion = similar ? `did you mean "${similar}"?` : 'settings of the target stand in "options"';
    report(
      { code: 'CFG101', message: `unknown key ${JSON.stringify(key)} in ${place.subject}`, suggestion },
      key,
    );
  }
  if (given && given.kind !== 'object')
    report({ code: 'CFG102', message: `streams[${place.index}].options must be an object` }, 'options');
  if (target === undefined) {
    report(
      {
        code: 'CFG104',
        message: `"target" is missing in ${place.subject}`,
        suggestion: 'name a pino transport, such as "pino-loki"',
      },
      'target',
    );
    return undefined;
  }
  const listed = listedModule(target, context.transports);
  if (listed === undefined) {
    report(notListed(target, context.transports), 'target');
    return undefined;
  }
  const module = context.resolve(listed);
  if ('finding' in module) return refuse(module.finding, place, 'target', context);
  if (refused) return undefined;
  return { moduleUrl: module.url, options: { target: module.url, options: given ? toValue(given) : {} } };
}

function notListed(target: string, transports: readonly ListedTransport[]): Finding {
  const similar = closest(target, namesOf(transports));
  return {
    code: 'CFG201',
    message: `the target ${JSON.stringify(target)} is not listed by the program`,
    suggestion: similar
      ? `did you mean "${similar}"?`
      : `a config loads no code by itself: createLogger(config, { transports: [${JSON.stringify(target)}] })`,
  };
}

function unknownType(type: string, transports: readonly ListedTransport[]): Finding {
  const known = ['console', ...Object.keys(OWN_TRANSPORTS), 'pino', ...namesOf(transports)];
  const similar = closest(type, known);
  return {
    code: 'CFG201',
    message: `unknown stream type ${JSON.stringify(type)}`,
    suggestion: similar
      ? `did you mean "${similar}"?`
      : `known: ${known.join(', ')}; a package has to be listed: createLogger(config, { transports: [${JSON.stringify(type)}] })`,
  };
}

function namesOf(transports: readonly ListedTransport[]): string[] {
  return transports.map((listed) => (typeof listed === 'string' ? listed : listed.type));
}

function refuse(
  finding: Finding,
  place: StreamPlace,
  key: string,
  { problems }: TransportContext,
): undefined {
  const isKey = finding.code === 'CFG101';
  const origin = isKey ? keyOriginAt(place.node, [key]) : originAt(place.node, [key]);
  const shown = nodeAt(place.node, [key]) ? origin : firstCharacter(origin);
  problems.add(shown, ['streams', place.index, key], finding);
  return undefined;
}

function withAbsolutePath(node: ConfigNode, key: string, directories: Directories): ConfigNode {
  const found = nodeAt(node, [key]);
  if (found?.kind !== 'scalar' || typeof found.value !== 'string' || found.value === '') return node;
  return withValue(node, [key], { ...found, value: resolvePath(found.value, directories) });
}

function withoutExtensions(node: ConfigNode): ConfigNode {
  if (node.kind !== 'object') return node;
  const members = new Map<string, Member>([...node.members].filter(([key]) => !key.startsWith('x-')));
  return { ...node, members };
}
