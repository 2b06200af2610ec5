import { parseDuration } from '@treeline/contract';
import type { Aggregate, Field, Stage } from './ast.ts';
import { closest } from './closest.ts';
import { readField } from './read-field.ts';
import type { Scanner } from './scanner.ts';

type StageReader = (scanner: Scanner) => Stage;

const STAGES: Readonly<Record<string, StageReader>> = {
  count: (scanner) => ({ kind: 'count', by: readBy(scanner) }),
  top: (scanner) => {
    const limit = readCount(scanner, 'top takes a number and a field', 1);
    scanner.skipSpace();
    return { kind: 'top', limit, field: readField(scanner) };
  },
  hist: (scanner) => ({ kind: 'hist', stepMs: readStep(scanner), by: readBy(scanner) }),
  stats: (scanner) => ({
    kind: 'stats',
    aggregates: readAggregates(scanner),
    by: readBy(scanner),
  }),
  fields: (scanner) => ({ kind: 'fields', fields: readFields(scanner) }),
  sort: (scanner) => {
    scanner.skipSpace();
    const field = readField(scanner);
    scanner.skipSpace();
    const order = scanner.match(/(?:desc|asc)(?=[\s|]|$)/iy)?.toLowerCase();
    return { kind: 'sort', field, descending: order === 'desc' };
  },
  limit: (scanner) => ({ kind: 'limit', limit: readCount(scanner, 'limit takes a number', 0) }),
  context: (scanner) => {
    const before = readCount(scanner, 'context takes two numbers, as in context 20,5', 0);
    scanner.skipSpace();
    if (!scanner.take(',')) scanner.fail('context takes two numbers, as in context 20,5', scanner.at);
    return {
      kind: 'context',
      before,
      after: readCount(scanner, 'context takes two numbers, as in context 20,5', 0),
    };
  },
};

/** Reads the stages behind a condition, to the end of the text. */
export function parseStages(scanner: Scanner): Stage[] {
  const stages: Stage[] = [];
  for (;;) {
    scanner.skipSpace();
    if (scanner.done) return stages;
    if (!scanner.take('|'))
      scanner.fail(
        `unexpected ${JSON.stringify(scanner.peek())}`,
        scanner.at,
        scanner.at + 1,
        'stages are separated by "|"',
      );
    stages.push(parseStage(scanner));
  }
}

function parseStage(scanner: Scanner): Stage {
  scanner.skipSpace();
  const start = scanner.at;
  const name = scanner.match(/[a-z]+/iy) ?? '';
  const read = Object.hasOwn(STAGES, name.toLowerCase()) ? STAGES[name.toLowerCase()] : undefined;
  if (read) return read(scanner);
  const known = Object.keys(STAGES);
  const similar = closest(name, known);
  const hint = similar ? `did you mean ${similar}?` : `known: ${known.join(', ')}`;
  return scanner.fail(
    name === '' ? 'a stage is missing after "|"' : `unknown stage ${JSON.stringify(name)}`,
    start,
    scanner.at,
    hint,
  );
}

function readBy(scanner: Scanner): Field[] {
  scanner.skipSpace();
  return scanner.match(/by(?=\s|$)/iy) === undefined ? [] : readFields(scanner);
}

function readFields(scanner: Scanner): Field[] {
  const found: Field[] = [];
  do {
    scanner.skipSpace();
    found.push(readField(scanner));
    scanner.skipSpace();
  } while (scanner.take(','));
  return found;
}

function readCount(scanner: Scanner, rule: string, least: number): number {
  scanner.skipSpace();
  const start = scanner.at;
  const digits = scanner.match(/\d{1,9}(?![\w.])/y);
  if (digits === undefined || Number(digits) < least)
    scanner.fail(rule, start, Math.max(scanner.at, start + 1));
  return Number(digits);
}

function readStep(scanner: Scanner): number {
  scanner.skipSpace();
  const start = scanner.at;
  const word = scanner.match(/[\d.]+[a-z]*/iy);
  const fail = (): never =>
    scanner.fail('hist takes a step of time', start, Math.max(scanner.at, start + 1), 'write hist 5m');
  try {
    const stepMs = parseDuration(word ?? '');
    return stepMs >= 1 && Number.isInteger(stepMs) ? stepMs : fail();
  } catch {
    return fail();
  }
}

/** `p50,p95(x)` gives both functions the same field; `count` needs none. */
function readAggregates(scanner: Scanner): Aggregate[] {
  const done: Aggregate[] = [];
  let waiting: { aggregate: Aggregate; start: number; end: number }[] = [];
  do {
    scanner.skipSpace();
    const start = scanner.at;
    const aggregate = readFunction(scanner);
    if (scanner.take('(')) {
      const field = readArgument(scanner);
      for (const before of waiting) done.push(field ? { ...before.aggregate, field } : before.aggregate);
      waiting = [];
      if (!field && aggregate.fn !== 'count')
        scanner.fail('a field is missing', start, scanner.at, 'write stats p95(durationMs)');
      const as = readAs(scanner);
      done.push({ ...aggregate, ...(field ? { field } : {}), ...(as === undefined ? {} : { as }) });
    } else {
      const as = aggregate.fn === 'count' ? readAs(scanner) : undefined;
      if (aggregate.fn === 'count' && waiting.length === 0)
        done.push(as === undefined ? aggregate : { ...aggregate, as });
      else waiting.push({ aggregate, start, end: scanner.at });
    }
    scanner.skipSpace();
  } while (scanner.take(','));
  const open = waiting[0];
  if (open)
    scanner.fail(
      'a field is missing',
      open.start,
      open.end,
      `write stats ${scanner.text.slice(open.start, open.end)}(durationMs)`,
    );
  return done;
}

function readFunction(scanner: Scanner): Aggregate {
  const start = scanner.at;
  const word = scanner.match(/[a-z]+\d*(?:\.\d+)?/iy) ?? '';
  const name = word.toLowerCase();
  if (name === 'count' || name === 'sum' || name === 'avg' || name === 'min' || name === 'max')
    return { fn: name };
  const percent = /^p(\d{1,3}(?:\.\d+)?)$/.exec(name)?.[1];
  if (percent !== undefined && Number(percent) <= 100) return { fn: 'percentile', percent: Number(percent) };
  return scanner.fail(
    `unknown function ${JSON.stringify(word)}`,
    start,
    scanner.at,
    'known: count, sum, avg, min, max, p50, p95, p99.9',
  );
}

function readArgument(scanner: Scanner): Field | undefined {
  const start = scanner.at - 1;
  scanner.skipSpace();
  if (scanner.take(')')) return undefined;
  const field = readField(scanner);
  scanner.skipSpace();
  if (!scanner.take(')')) scanner.fail('the bracket is never closed', start);
  return field;
}

function readAs(scanner: Scanner): string | undefined {
  scanner.skipSpace();
  if (scanner.match(/as(?=\s|$)/iy) === undefined) return undefined;
  scanner.skipSpace();
  const start = scanner.at;
  const name = scanner.peek() === '"' ? scanner.quoted() : scanner.match(/[\p{L}_][\p{L}\p{N}_]*/uy);
  return name || scanner.fail('a name is missing after "as"', start);
}
