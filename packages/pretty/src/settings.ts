import * as v from 'valibot';
import { parseLevel, LEVELS } from '@treeline/contract';
import { wantsColor } from './color.ts';
import { options as schema, type ParsedPrettyOptions, type PrettyOptions } from './options.ts';
import type { TimeStyle } from './time.ts';

/** What `auto` options look at. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether the stream that is written to is a terminal. */
  readonly isTerminal: boolean;
  /** The terminal's width; as a function it is asked before each batch, since a terminal may change. */
  readonly columns?: number | (() => number | undefined) | undefined;
  /** Paths of stack frames are printed relative to it. */
  readonly cwd: string;
  readonly nowMs: number;
}

export type PrinterMode = 'live' | 'forest' | 'flat' | 'waterfall';

const DEFAULT_TIME: Readonly<Record<PrinterMode, TimeStyle>> = {
  live: 'local',
  flat: 'iso',
  // Trees print how long after their root's open a record came.
  forest: 'none',
  waterfall: 'none',
};

/** Options with everything decided that depends on the surroundings. */
export interface PrinterSettings extends Omit<
  ParsedPrettyOptions,
  'mode' | 'time' | 'width' | 'ids' | 'defer'
> {
  readonly mode: PrinterMode;
  readonly time: TimeStyle;
  readonly colored: boolean;
  readonly ascii: boolean;
  /** Whether the output is read by a GitHub workflow, which obeys lines like `::error::`. */
  readonly isWorkflow: boolean;
  /** Columns that lines are wrapped at, undefined for no limit; asked before each batch. */
  readonly width: () => number | undefined;
  readonly ids: 'none' | 'trace' | 'span';
  /** Spans of this level and below are deferred; -Infinity for none. */
  readonly deferLevel: number;
  readonly levelsByName: ReadonlyMap<string, number>;
  readonly colorsByLevel: ReadonlyMap<number, string>;
  readonly cwd: string;
  readonly nowMs: number;
}

/**
 * Checks options that were given in code.
 *
 * @throws TypeError that names each wrong option.
 */
export function parsePrettyOptions(options: PrettyOptions): ParsedPrettyOptions {
  const result = v.safeParse(schema, options);
  if (result.success) return result.output;
  throw new TypeError(
    result.issues.map((issue) => `${v.getDotPath(issue) ?? 'options'} ${issue.message}`).join('; '),
  );
}

/** Decides what `auto` means. */
export function resolveSettings(options: ParsedPrettyOptions, surroundings: Surroundings): PrinterSettings {
  const { env, isTerminal, columns, cwd, nowMs } = surroundings;
  const terminalWidth = typeof columns === 'function' ? columns : () => columns;
  const mode = options.mode === 'auto' ? (isTerminal ? 'live' : 'flat') : options.mode;
  const time = options.time === 'auto' ? DEFAULT_TIME[mode] : options.time;
  const color = options.colorize === undefined ? options.color : options.colorize ? 'always' : 'never';
  const levelsByName = new Map(
    Array.from(options.customLevels, ([name, level]) => [name.toLowerCase(), Number(level)]),
  );
  return {
    ...options,
    mode,
    time,
    cwd,
    nowMs,
    colored: wantsColor({ color, env, isTerminal }),
    isWorkflow: Boolean(env['GITHUB_ACTIONS']) && !isTerminal,
    ascii: options.glyphs === 'ascii' || (options.glyphs === 'auto' && env['TERM'] === 'linux'),
    width: () =>
      options.wrap === 'off' || mode === 'flat'
        ? undefined
        : (options.width ?? (isTerminal ? terminalWidth() : undefined)),
    ids: options.ids === 'auto' ? (mode === 'flat' ? 'span' : 'trace') : options.ids,
    fields: options.hideObject ? 'none' : options.fields,
    deferLevel: options.defer === 'off' ? -Infinity : parseLevel(options.defer),
    levelsByName,
    colorsByLevel: new Map(
      Array.from(
        options.customColors,
        ([name, color_]) => [levelNumber(name, levelsByName), color_] as const,
      ),
    ),
  };
}

function levelNumber(name: string, custom: ReadonlyMap<string, number>): number {
  const known =
    custom.get(name.toLowerCase()) ?? new Map<string, number>(Object.entries(LEVELS)).get(name.toLowerCase());
  return known ?? Number(name);
}
