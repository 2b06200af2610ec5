export type {
  Aggregate,
  ColumnName,
  CompareOp,
  EachElement,
  Field,
  Filter,
  Query,
  Segment,
  Stage,
  TimeValue,
  Value,
} from './ast.ts';
export { closest } from './closest.ts';
export {
  formatDirectives,
  levelForName,
  nameSegments,
  parseDirectives,
  type DirectiveError,
  type LevelDirective,
  type ParsedDirectives,
} from './directives.ts';
export { formatField } from './field.ts';
export { parseFilter, parseQuery } from './parse.ts';
export { compareCodePoints, compileFilter, compileLevelFilter, type RecordPredicate } from './predicate.ts';
export { formatAggregate, formatFilter, formatQuery } from './print.ts';
export { QueryError } from './query-error.ts';
export { compileRegex, type TextMatcher } from './regex.ts';
export { resolveTime, type TimeOptions, type TimeSpan } from './time.ts';
