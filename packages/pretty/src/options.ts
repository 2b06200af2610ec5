import { LEVEL_NAMES, parseBytes, parseDuration, parseLevel, parserAction } from '@treeline/contract';
import * as v from 'valibot';

const ORIGINS: readonly string[] = ['pid', 'host', 'worker'];
const ORIGIN_RULE = `must be a list of ${ORIGINS.join(', ')}`;
const COLORS = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white', 'gray'] as const;

/** One of a few words; the message names them all. */
function choice<const Words extends readonly string[]>(words: Words, initial: Words[number], text: string) {
  const rule = `must be one of ${words.join(', ')}`;
  return v.optional(
    v.pipe(
      v.picklist(words, (issue) => `${rule}; got ${issue.received}`),
      v.description(text),
    ),
    initial,
  );
}

function flag(initial: boolean, text: string) {
  return v.optional(
    v.pipe(
      v.boolean((issue) => `must be true or false; got ${issue.received}`),
      v.description(text),
    ),
    initial,
  );
}

function count(least: number, most: number, initial: number, text: string) {
  const rule = (issue: { received: string }) =>
    `must be a whole number from ${least} to ${most}; got ${issue.received}`;
  return v.optional(
    v.pipe(
      v.number(rule),
      v.integer(rule),
      v.minValue(least, rule),
      v.maxValue(most, rule),
      v.description(text),
    ),
    initial,
  );
}

function word(text: string) {
  const rule = (issue: { received: string }) => `must be a text that is not empty; got ${issue.received}`;
  return v.pipe(v.string(rule), v.nonEmpty(rule), v.description(text));
}

/** A list, or its elements as one text with commas between them (pino-pretty's form). */
function list(initial: readonly string[], text: string) {
  const rule = (issue: { received: string }) =>
    `must be a list of keys, or a text with commas between them; got ${issue.received}`;
  return v.optional(
    v.pipe(v.union([v.string(), v.array(v.string())], rule), v.transform(splitList), v.description(text)),
    [...initial],
  );
}

function splitList(given: string | string[]): readonly string[] {
  const parts = typeof given === 'string' ? given.split(',') : given;
  return parts.map((each) => each.trim()).filter((each) => each !== '');
}

/** Pairs, or pino-pretty's form `a:1,b:2`; `isValue` says which values there are. */
function pairs(rule: string, isValue: (value: string) => boolean, text: string) {
  return v.optional(
    v.pipe(
      v.union([v.string(), v.record(v.string(), v.union([v.string(), v.number()]))], rule),
      v.transform((given): ReadonlyMap<string, string> => {
        const entries = typeof given === 'string' ? splitPairs(given) : Object.entries(given);
        return new Map(entries.map(([key, value]) => [key, String(value)]));
      }),
      v.check((given) => [...given.values()].every(isValue), rule),
      v.description(text),
    ),
    {},
  );
}

function splitPairs(text: string): [string, string][] {
  return text
    .split(',')
    .filter((pair) => pair.trim() !== '')
    .map((pair) => {
      const [key = '', value = ''] = pair.split(':');
      return [key.trim(), value.trim()];
    });
}

/** A text or number that one of contract's parsers understands; the parser's message is the mistake's. */
function parsed<Out>(parse: (value: string | number) => Out, text: string) {
  return v.pipe(
    v.union([v.string(), v.number()], (issue) => `must be a text or a number; got ${issue.received}`),
    v.rawTransform(parserAction(parse)),
    v.description(text),
  );
}

function parseLevelOrNumber(value: string | number): number {
  const level = typeof value === 'number' ? value : Number(value);
  return Number.isFinite(level) ? level : parseLevel(String(value).toLowerCase());
}

/** What the printer and its transport can be told; every key has a default. pino-pretty's spellings are kept. */
export const options = v.strictObject({
  destination: v.optional(
    v.pipe(
      v.union(
        [v.literal(1), v.literal(2), v.pipe(v.string(), v.nonEmpty())],
        'must be 1 (standard output), 2 (standard error), or a path',
      ),
      v.description('Where to print: `1` (standard output), `2` (standard error), or a path.'),
    ),
    1,
  ),
  append: flag(true, 'Whether a file that exists is added to, rather than emptied.'),
  mkdir: flag(false, "Whether the file's folders are made where they are missing."),
  sync: flag(false, 'Accepted for migration; a write has always left the process when it resolves.'),
  mode: choice(
    ['auto', 'live', 'forest', 'flat', 'waterfall'],
    'auto',
    'The shape: `live` prints a tree as records arrive, `forest` each tree when its root closes, `flat` one physical line for each record, `waterfall` closed trees on a time axis; `auto` is `live` on a terminal, `flat` elsewhere.',
  ),
  color: choice(
    ['auto', 'always', 'never'],
    'auto',
    'Whether to colour. `auto` asks `FORCE_COLOR`, `NO_COLOR`, `TERM`, then whether a terminal is written to; off in CI.',
  ),
  theme: choice(['dark', 'light'], 'dark', 'Colours for a dark or a light background.'),
  colorize: v.optional(
    v.pipe(
      v.boolean('must be true or false'),
      v.description("pino-pretty's spelling of `color`: true is `always`, false is `never`."),
    ),
  ),
  glyphs: choice(
    ['auto', 'unicode', 'ascii'],
    'auto',
    'What the tree is drawn with; `auto` is `ascii` where `TERM` is `linux`.',
  ),
  guides: choice(['none', 'lines'], 'none', 'Whether lines run down from every span that is open.'),
  indent: count(1, 8, 2, 'Columns for each level of the tree.'),
  wraparound: count(0, 100, 0, 'Indentation starts again at the left after so many levels; 0 never does.'),
  maxDepth: count(1, 100, 12, 'Levels that are drawn; a deeper one is marked `…+n`.'),
  width: v.optional(
    v.pipe(
      v.number('must be a number of columns'),
      v.integer('must be a whole number of columns'),
      v.minValue(20, 'must be at least 20'),
      v.description("Columns of the screen; by default the terminal's, and no limit elsewhere."),
    ),
  ),
  wrap: choice(['wrap', 'truncate', 'off'], 'wrap', 'What happens to a line that is wider than the screen.'),
  fields: choice(
    ['inline', 'bracket', 'below', 'none'],
    'inline',
    'Where fields stand: behind the message, there in `{…}`, on lines below it, or nowhere.',
  ),
  ids: choice(
    ['auto', 'none', 'trace', 'span'],
    'auto',
    'Which ids are shown; `auto` is `trace` in trees and both in `flat`.',
  ),
  origin: v.optional(
    v.pipe(
      v.union([v.string(), v.array(v.string())], ORIGIN_RULE),
      v.transform(splitList),
      v.check((given) => given.every((each) => ORIGINS.includes(each)), ORIGIN_RULE),
      v.description('Which of `pid`, `host`, `worker` stand on every line.'),
    ),
    [],
  ),
  time: choice(
    ['auto', 'iso', 'local', 'relative', 'delta', 'none'],
    'auto',
    'How times are printed: `relative` since the first record, `delta` since the record before; `auto` is `local` in trees and `iso` in `flat`.',
  ),
  translateTime: v.optional(
    v.pipe(
      v.union([v.boolean(), v.string()], 'must be true, false or a pattern like "SYS:yyyy-mm-dd HH:MM:ss.l"'),
      v.description("pino-pretty's pattern for times: `UTC:…`, `SYS:…`, `SYS:standard`; goes before `time`."),
    ),
  ),
  utc: flag(false, 'Whether `local` times are in UTC.'),
  durations: choice(
    ['events', 'close', 'off'],
    'events',
    'Where durations stand: at closes and events (from 10 ms after their span opened), at closes alone, or nowhere.',
  ),
  precision: count(1, 6, 3, 'Significant figures of durations.'),
  slow: v.optional(
    parsed(parseDuration, 'A span that took this long is red, one that took half of it yellow.'),
    100,
  ),
  minimumLevel: v.optional(parsed(parseLevelOrNumber, 'Hides records below this level, by name or number.')),
  levels: v.optional(word('Hides records by directives, as in `LOG_LEVEL`: `info,db=debug`.')),
  filter: v.optional(word('Hides what this query does not match.')),
  trace: v.optional(word('Shows one trace: its id, or the beginning of it.')),
  req: v.optional(word('Shows one request: its id.')),
  select: list(
    [],
    'Shows records whose fields have these values: `user=ann,rows=1`. Values are compared as texts; `filter` can do more.',
  ),
  since: v.optional(word('Hides what is older: a time, or an age like `1h`.')),
  until: v.optional(word('Hides what is not older: a time, or an age like `1h`.')),
  defer: choice(
    ['off', ...LEVEL_NAMES.filter((name) => name !== 'silent')],
    'off',
    'Hides spans of this level and below until something visible happens inside.',
  ),
  retrace: choice(
    ['auto', 'off'],
    'auto',
    'Whether the path is printed again when records of another span come between.',
  ),
  verboseOpen: flag(false, 'Prints the parent again before a span opens in it.'),
  verboseClose: flag(
    false,
    "Prints all of a span's attributes when it closes, and the parent again after it.",
  ),
  spanOps: flag(false, 'Writes `open`, `close` and `retrace` before the names of spans.'),
  stack: choice(
    ['app', 'full', 'none'],
    'app',
    "Which frames of a stack are printed: the program's own, all, or none.",
  ),
  messageKey: v.optional(word("The message's key."), 'msg'),
  levelKey: v.optional(word("The level's key."), 'level'),
  timestampKey: v.optional(word("The time's key."), 'time'),
  errorLikeObjectKeys: list(['err', 'error'], 'Keys whose objects are printed as errors.'),
  ignore: list([], 'Keys that are not printed.'),
  include: list([], 'The only keys that are printed as fields.'),
  singleLine: flag(false, 'Keeps errors and messages on one line in trees too.'),
  hideObject: flag(false, 'pino-pretty\'s spelling of `fields: "none"`.'),
  customLevels: pairs(
    'must be names with numbers, like "audit:35"',
    (value) => /^\d+$/.test(value),
    'Names of levels that are not pino\'s: `{ "audit": 35 }` or `audit:35`.',
  ),
  customColors: pairs(
    `must be levels with colours, like "info:blue"; colours are ${COLORS.join(', ')}`,
    (value) => (COLORS as readonly string[]).includes(value),
    `Colours of levels: \`{ "info": "blue" }\` or \`info:blue\`; ${COLORS.join(', ')}.`,
  ),
  messageFormat: v.optional(
    word('A template for the message: `{levelLabel} {req.url}`, `{if user}for {user}{end}`.'),
  ),
  levelFirst: flag(false, 'Prints the level before the time.'),
  crlf: flag(false, 'Ends lines with a carriage return and a line feed.'),
  raw: flag(false, 'Passes lines that are not JSON through as they are. For trusted input only.'),
  trustAnsi: flag(false, 'Lets colours (SGR sequences, nothing else) of messages and texts through.'),
  maxOpenSpans: count(
    1,
    1_000_000,
    10_000,
    'Spans that are kept track of; beyond, the one that was silent longest is given up.',
  ),
  maxOpenMs: v.optional(
    parsed(parseDuration, 'Spans that were silent this long are given up; 0 never does.'),
    0,
  ),
  maxLineBytes: v.optional(
    parsed(parseBytes, 'Bytes of a printed record; what is beyond is cut and counted.'),
    64 * 1024,
  ),
  maxHeldBytes: v.optional(
    parsed(
      parseBytes,
      'Bytes that `forest` and `waterfall` hold back; beyond, the oldest tree is printed as it stands.',
    ),
    16 * 1024 * 1024,
  ),
});

/** Options as they are written. */
export type PrettyOptions = v.InferInput<typeof options>;

/** Options with every default filled in. */
export type ParsedPrettyOptions = v.InferOutput<typeof options>;
