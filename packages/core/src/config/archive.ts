import { pathToFileURL } from 'node:url';
import type { OptionsSchema } from '@treeline/contract';
import type { ArchiveConfig, StreamConfig } from './config.ts';
import { resolvePath } from './destination.ts';
import { firstCharacter, nodeAt, originAt, type ConfigNode } from './node.ts';
import type { Finding } from './problem-list.ts';
import type { TransportContext } from './stream-transport.ts';
import { loadOptionsSchema } from './transports.ts';
import { validate } from './validate.ts';

/** The package that archives a store: found when a config asks for it, like a transport. */
const ARCHIVE = '@treeline/archive';

export interface ReadArchive {
  /** Undefined where a config has no archive, or it is switched off or wrong. */
  readonly archive: ArchiveConfig | undefined;
  /** Of what stands under `archive`; undefined where the config has none. */
  readonly schema: OptionsSchema<unknown> | undefined;
}

/** Checks what a config says under `archive`, and finds the thread that does it. */
export function readArchive(
  config: ConfigNode,
  streams: readonly StreamConfig[],
  context: TransportContext,
): ReadArchive {
  const node = nodeAt(config, ['archive']);
  if (node?.kind !== 'object') return { archive: undefined, schema: undefined };
  const refuse = (finding: Finding): ReadArchive => {
    context.problems.add(firstCharacter(originAt(config, ['archive'])), ['archive'], finding);
    return { archive: undefined, schema: undefined };
  };
  const module = context.resolve(ARCHIVE);
  if ('finding' in module) return refuse(module.finding);
  const loaded = loadOptionsSchema(ARCHIVE, module);
  if ('finding' in loaded) return refuse(loaded.finding);
  const { schema } = loaded;
  const options = validate(schema, node, context.problems, { at: ['archive'], subject: 'archive' });
  if (!isArchiveOptions(options) || !options.enabled) return { archive: undefined, schema };
  const stores = streams.filter(({ type }) => type === 'sqlite').map((stream) => pathOf(stream.options));
  const store = options.store === undefined ? stores[0] : resolvePath(options.store, context.directories);
  if (store === undefined || (options.store === undefined && stores.length > 1)) {
    // A stream that is wrong has been reported, and hides its path.
    if (context.problems.hasErrors) return { archive: undefined, schema };
    const missing = refuse({
      code: 'CFG104',
      message: `"store" is missing in archive: the config has ${stores.length} sqlite streams that run`,
      suggestion: 'name the store to archive, such as "data/logs.db"',
    });
    return { ...missing, schema };
  }
  const to = resolvePath(options.to, context.directories);
  const threadUrl = pathToFileURL(module.require.resolve(`${ARCHIVE}/schedule`)).href;
  return { archive: { threadUrl, options: { ...options, store, to } }, schema };
}

interface ArchiveOptions {
  readonly enabled: boolean;
  readonly to: string;
  readonly store?: string;
}

function isArchiveOptions(options: unknown): options is ArchiveOptions {
  return typeof options === 'object' && options !== null && 'to' in options && typeof options.to === 'string';
}

function pathOf(options: unknown): string | undefined {
  return typeof options === 'object' && options !== null && 'path' in options
    ? String(options.path)
    : undefined;
}
