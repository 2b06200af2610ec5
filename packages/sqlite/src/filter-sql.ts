import type { LogRecord } from '@treeline/contract';
import {
  compileFilter,
  resolveTime,
  type ColumnName,
  type CompareOp,
  type Field,
  type Filter,
  type TimeOptions,
  type TimeSpan,
  type Value,
} from '@treeline/query';
import { COLUMN_SQL, jsonPath } from './field.ts';
import { anyOf, allOf, sql, type Sql } from './sql.ts';

/** Asked by a statement for what SQL can't decide as a predicate would, or not in linear time. */
export type Test = (value: unknown) => boolean;

export interface CompiledFilter {
  /** NULL counts as false. */
  readonly condition: Sql;
  /** Called by the condition as `treeline_test(<index>, <value>)`; the statement's connection must have them at hand. */
  readonly tests: readonly Test[];
}

/**
 * Turns a condition into SQL over the table logs that holds for the same rows as the predicate does for their records. Values are
 * always parameters. Three ways, each for a reason: columns and JSON functions where SQLite decides as JavaScript; JSON functions
 * with `treeline_test` for the rare values where it does not (NUL in a text, numbers an ulp apart); the predicate over the whole
 * record where SQL has no words (`any:`, each element of a list).
 */
export function compileFilterSql(filter: Filter, options: TimeOptions): CompiledFilter {
  const tests: Test[] = [];
  const compiler: Compiler = {
    options,
    call(test, value) {
      tests.push(test);
      return sql(`treeline_test(${tests.length - 1}, ${value.text})`, ...value.params);
    },
  };
  const condition = compile(filter, compiler);
  if (condition.params.length <= MAX_PARAMS) return { condition, tests };
  const test = compileFilter(filter, options);
  return {
    condition: sql('treeline_test(0, payload)'),
    tests: [(payload) => typeof payload === 'string' && test(JSON.parse(payload) as LogRecord)],
  };
}

/** SQLite takes 32 766 (SQLITE_MAX_VARIABLE_NUMBER); a statement has some of its own. */
const MAX_PARAMS = 32_000;

interface Compiler {
  readonly options: TimeOptions;
  /** The SQL that asks a test of ours. */
  call(test: Test, value: Sql): Sql;
}

type FieldCondition = Extract<Filter, { readonly orAbsent: boolean }>;

const PAYLOAD = sql('payload');
// Of a literal 0 the planner makes an empty plan, and then misses the index that the statement names.
const FALSE = sql('+id < 0');

function compile(filter: Filter, compiler: Compiler): Sql {
  switch (filter.kind) {
    case 'and':
      return allOf(filter.items.map((item) => compile(item, compiler)));
    case 'or':
      return anyOf(filter.items.map((item) => compile(item, compiler)));
    case 'not':
      return isNotTrue(compile(filter.item, compiler));
    case 'text':
      if (isMangled(filter.text)) return wholeRecord(filter, compiler);
      return filter.scope === 'msg'
        ? containsText(columnOperand('msg'), filter.text, compiler)
        : containsAnywhere(filter, compiler);
    case 'since':
      return sql('ts >= ?', spanOf(filter.time.text, compiler.options).startMs);
    case 'until':
      return sql('ts < ?', spanOf(filter.time.text, compiler.options).startMs);
    case 'exists':
      return compileField(filter.field, filter, compiler, (operand) => exists(operand));
    default:
      if (textsOf(filter).some(isMangled)) return wholeRecord(filter, compiler);
      return compileField(filter.field, filter, compiler, (operand) =>
        inOrder(filter, operand, compiler, compileCondition(filter, operand, compiler)),
      );
  }
}

/**
 * Half a surrogate pair becomes U+FFFD where it is bound or stored as a column, and LIKE reads U+FFFE and U+FFFF as U+FFFD too: texts that
 * JavaScript tells apart are one.
 */
export function isMangled(text: string): boolean {
  return /[\p{Surrogate}\ufffd-\uffff]/u.test(text);
}

function textsOf(filter: FieldCondition): string[] {
  const textOf = (value: Value): string[] => (value.kind === 'string' ? [value.value] : []);
  switch (filter.kind) {
    case 'compare':
      return textOf(filter.value);
    case 'range':
      return [...textOf(filter.low), ...textOf(filter.high)];
    case 'in':
      return filter.values.flatMap(textOf);
    case 'glob':
      return [...filter.parts];
    case 'contains':
      return [filter.text];
    case 'regex':
      return [filter.pattern];
    default:
      return [];
  }
}

/** U+FFFD stands behind the surrogates that it may stand for: whether such a column is more or less is asked of the record. */
function inOrder(filter: FieldCondition, operand: Operand, compiler: Compiler, condition: Sql): Sql {
  const isOrdered =
    (filter.kind === 'compare' && filter.op !== '=' && filter.op !== '!=') || filter.kind === 'range';
  if (!isOrdered || textsOf(filter).length === 0 || operand.isType('string') !== 'always') return condition;
  const exact = wholeRecord(filter, compiler);
  return sql(
    `CASE WHEN instr(${operand.value.text}, char(65533)) > 0 THEN ${exact.text} ELSE ${condition.text} END`,
    ...operand.value.params.concat(exact.params, condition.params),
  );
}

function compileField(
  field: Field,
  filter: Filter,
  compiler: Compiler,
  native: (operand: Operand) => Sql,
): Sql {
  if (field.kind === 'column') return native(columnOperand(field.name));
  const keys = field.segments.filter((segment) => typeof segment !== 'object');
  // Each element of a list may match: left to the predicate.
  if (keys.length < field.segments.length) return wholeRecord(filter, compiler);
  if (keys.some((key) => typeof key === 'string' && isMangled(key))) return wholeRecord(filter, compiler);
  return native(pathOperand(jsonPath(keys)));
}

/** A field as SQL sees it. */
interface Operand {
  /** SQL NULL where the field is absent or null. */
  readonly value: Sql;
  /** Narrows to values of one type; undefined where all are, or `never` where none is. */
  readonly isType: (type: 'string' | 'number' | 'boolean') => Sql | 'always' | 'never';
  /** The value as our tests take it: JSON text of a path, a column as it is. */
  readonly forTest: Sql;
  readonly fromTest: (value: unknown) => unknown;
}

function columnOperand(name: ColumnName): Operand {
  const [expression, columnType] = COLUMN_SQL[name];
  const value = sql(expression);
  return {
    value,
    isType: (type) => (type === columnType ? 'always' : 'never'),
    forTest: value,
    fromTest: (given) => given,
  };
}

const JSON_TYPES = { string: "= 'text'", number: "IN ('integer', 'real')", boolean: "IN ('true', 'false')" };

function pathOperand(path: string): Operand {
  return {
    value: sql('payload ->> ?', path),
    isType: (type) => sql(`json_type(payload, ?) ${JSON_TYPES[type]}`, path),
    forTest: sql('payload -> ?', path),
    fromTest: (given) => (typeof given === 'string' ? (JSON.parse(given) as unknown) : given),
  };
}

function exists({ value }: Operand): Sql {
  return sql(`${value.text} IS NOT NULL`, ...value.params);
}

function compileCondition(filter: FieldCondition, operand: Operand, compiler: Compiler): Sql {
  const test = compileTest(filter, operand, compiler);
  const holds = isNegated(filter) ? allOf([exists(operand), isNotTrue(test)]) : test;
  if (!filter.orAbsent) return holds;
  return anyOf([sql(`${operand.value.text} IS NULL`, ...operand.value.params), holds]);
}

function isNegated(filter: FieldCondition): boolean {
  if (filter.kind === 'compare') return filter.op === '!=';
  return (filter.kind === 'contains' || filter.kind === 'regex') && filter.negated;
}

function compileTest(filter: FieldCondition, operand: Operand, compiler: Compiler): Sql {
  switch (filter.kind) {
    case 'compare':
      return compareValue(filter.op, filter.value, operand, compiler);
    case 'range':
      return allOf([
        compareValue('>=', filter.low, operand, compiler),
        compareValue('<=', filter.high, operand, compiler),
      ]);
    case 'in':
      return equalsOneOf(filter.values, operand, compiler);
    case 'contains':
      return containsText(operand, filter.text, compiler);
    case 'glob':
      return matchesGlob(filter.parts, operand, compiler);
    case 'regex':
      return ofType(
        'string',
        operand,
        askTest({ ...filter, negated: false, orAbsent: false }, operand, compiler),
      );
    default:
      throw new TypeError(`in @file must be resolved before a filter is used; got @${filter.file}`);
  }
}

/** More values than this are handed over as one list, which SQLite looks up instead of comparing one by one. */
const MAX_SINGLE_VALUES = 20;

/** What JSON text and SQLite's own text hold differently. */
const NOT_LISTED = /[\0\p{Surrogate}]/u;

function equalsOneOf(values: readonly Value[], operand: Operand, compiler: Compiler): Sql {
  const listed = values.flatMap((value) =>
    value.kind === 'string' && !NOT_LISTED.test(value.value) ? [value.value] : [],
  );
  if (listed.length <= MAX_SINGLE_VALUES) {
    return anyOf(values.map((value) => compareValue('=', value, operand, compiler)));
  }
  const { text, params } = operand.value;
  const inList = sql(`${text} IN (SELECT value FROM json_each(?))`, ...params, JSON.stringify(listed));
  const others = values.filter((value) => value.kind !== 'string' || !listed.includes(value.value));
  return anyOf([
    ofType('string', operand, inList),
    ...others.map((value) => compareValue('=', value, operand, compiler)),
  ]);
}

/** `!=` is the caller's to turn round: here it tests for equality. */
function compareValue(op: CompareOp, wanted: Value, operand: Operand, compiler: Compiler): Sql {
  const { value } = operand;
  const sign = op === '!=' ? '=' : op;
  switch (wanted.kind) {
    case 'string':
      return ofType('string', operand, sql(`${value.text} ${sign} ?`, ...value.params, wanted.value));
    case 'boolean':
      // JSON functions give booleans as 1 and 0; they have no order.
      return ofType('boolean', operand, sql(`${value.text} = ?`, ...value.params, wanted.value ? 1 : 0));
    case 'time':
      return ofType('number', operand, compareTime(sign, spanOf(wanted.text, compiler.options), value));
    default:
      return ofType('number', operand, compareNumber(sign, wanted, operand, compiler));
  }
}

/**
 * Numbers are doubles. Where the value is an integer in both, SQLite decides as JavaScript; else it may read digits an ulp apart,
 * so that what lies close is asked of JavaScript.
 */
function compareNumber(
  op: CompareOp,
  wanted: Extract<Value, { kind: 'number' }>,
  operand: Operand,
  compiler: Compiler,
): Sql {
  const { value } = operand;
  const target = wanted.value;
  const is = (comparison: string, ...params: number[]): Sql =>
    sql(`${value.text} ${comparison}`, ...value.params, ...params);
  const native = is(`${op} ?`, target);
  if (operand.isType('number') === 'always') return native;
  const asked = askTest(
    { kind: 'compare', field: VALUE_FIELD, op, value: wanted, orAbsent: false },
    operand,
    compiler,
  );
  const isInteger = sql(`typeof(${value.text}) = 'integer'`, ...value.params);
  const exact = Number.isSafeInteger(target)
    ? sql(
        `CASE WHEN ${isInteger.text} THEN ${native.text} ELSE ${asked.text} END`,
        ...isInteger.params.concat(native.params, asked.params),
      )
    : asked;
  const margin = Math.max(Math.abs(target) * 1e-12, 1e-300);
  const [low, high] = [target - margin, target + margin];
  if (op === '=') return allOf([is('BETWEEN ? AND ?', low, high), exact]);
  if (op === '<' || op === '<=') return anyOf([is('< ?', low), allOf([is('<= ?', high), exact])]);
  return anyOf([is('> ?', high), allOf([is('>= ?', low), exact])]);
}

function compareTime(op: CompareOp, { startMs, endMs }: TimeSpan, { text, params }: Sql): Sql {
  switch (op) {
    case '<':
      return sql(`${text} < ?`, ...params, startMs);
    case '<=':
      return sql(`${text} < ?`, ...params, endMs);
    case '>':
      return sql(`${text} >= ?`, ...params, endMs);
    case '>=':
      return sql(`${text} >= ?`, ...params, startMs);
    default:
      return sql(`(${text} >= ? AND ${text} < ?)`, ...params, startMs, ...params, endMs);
  }
}

/** LIKE ignores ASCII case, but ends at a NUL: such texts are asked of the predicate. */
function containsText(operand: Operand, text: string, compiler: Compiler): Sql {
  const { value } = operand;
  const test = askTest(
    { kind: 'contains', field: VALUE_FIELD, text, negated: false, orAbsent: false },
    operand,
    compiler,
  );
  if (text.includes('\0') || text.length > MAX_PATTERN_LENGTH) return ofType('string', operand, test);
  const like = sql(`${value.text} LIKE ? ESCAPE '\\'`, ...value.params, `%${escapeLike(text)}%`);
  const withNul = sql(`instr(${value.text}, char(0)) > 0`, ...value.params);
  return ofType('string', operand, anyOf([like, allOf([withNul, test])]));
}

function matchesGlob(parts: readonly string[], operand: Operand, compiler: Compiler): Sql {
  const { value } = operand;
  const test = askTest({ kind: 'glob', field: VALUE_FIELD, parts, orAbsent: false }, operand, compiler);
  const pattern = parts.map((part) => part.replace(/[*?[]/g, '[$&]')).join('*');
  if (pattern.includes('\0') || pattern.length > MAX_PATTERN_LENGTH) return ofType('string', operand, test);
  const glob = sql(`${value.text} GLOB ?`, ...value.params, pattern);
  const nulAt = sql(`instr(${value.text}, char(0))`, ...value.params);
  const isPlain = sql(`${nulAt.text} = 0`, ...nulAt.params);
  const withNul = sql(`${nulAt.text} > 0`, ...nulAt.params);
  return ofType('string', operand, anyOf([allOf([glob, isPlain]), allOf([withNul, test])]));
}

/** SQLite refuses patterns over 50 000 bytes (SQLITE_MAX_LIKE_PATTERN_LENGTH). */
const MAX_PATTERN_LENGTH = 10_000;

function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, String.raw`\$&`);
}

/** The field that a test of ours reads: it is given a value, not a record. */
const VALUE_FIELD: Field = { kind: 'path', segments: ['value'] };

/** Asks the predicate itself, about one value. */
function askTest(filter: FieldCondition, operand: Operand, compiler: Compiler): Sql {
  const predicate = compileFilter({ ...filter, field: VALUE_FIELD }, compiler.options);
  return compiler.call((value) => predicate({ level: 0, value: operand.fromTest(value) }), operand.forTest);
}

/** Asks the predicate itself, about the whole record. */
function wholeRecord(filter: Filter, compiler: Compiler): Sql {
  const predicate = compileFilter(filter, compiler.options);
  return compiler.call(
    (payload) => typeof payload === 'string' && predicate(JSON.parse(payload) as LogRecord),
    PAYLOAD,
  );
}

/** What numbers are written with, which JavaScript may print in another way than the line did. */
const NUMBER_TEXT = /^[\d.e+-]*$/i;

function containsAnywhere(filter: Extract<Filter, { kind: 'text' }>, compiler: Compiler): Sql {
  const exact = wholeRecord(filter, compiler);
  const { text } = filter;
  if (
    NUMBER_TEXT.test(text) ||
    '-infinity'.includes(text.toLowerCase()) ||
    text.length > MAX_PATTERN_LENGTH
  ) {
    return exact;
  }
  // A line without an escape has each of its texts as it is: most rows are told apart without parsing.
  const likely = sql(`(payload LIKE ? ESCAPE '\\' OR instr(payload, '\\') > 0)`, `%${escapeLike(text)}%`);
  return allOf([likely, exact]);
}

function ofType(type: 'string' | 'number' | 'boolean', operand: Operand, condition: Sql): Sql {
  const isType = operand.isType(type);
  if (isType === 'never') return FALSE;
  return isType === 'always' ? condition : allOf([condition, isType]);
}

function isNotTrue({ text, params }: Sql): Sql {
  return sql(`(${text}) IS NOT TRUE`, ...params);
}

export function spanOf(text: string, options: TimeOptions): TimeSpan {
  const span = resolveTime(text, options);
  if (span) return span;
  throw new TypeError(`time must be one that a query knows; got ${JSON.stringify(text)}`);
}
