import { formatLevel, parseDuration } from '@treeline/contract';
import type { Aggregate, Field, Filter, Query, Stage, Value } from './ast.ts';
import { formatField, quote } from './field.ts';

/** Prints a query in one canonical way; parsing the text gives the same tree. */
export function formatQuery(query: Query): string {
  const stages = query.stages.map((stage) => `| ${formatStage(stage)}`);
  return [...(query.filter ? [formatFilter(query.filter)] : []), ...stages].join(' ');
}

export function formatFilter(filter: Filter): string {
  switch (filter.kind) {
    case 'and':
      return filter.items
        .map((item) => (item.kind === 'or' ? `(${formatFilter(item)})` : formatFilter(item)))
        .join(' and ');
    case 'or':
      return filter.items.map(formatFilter).join(' or ');
    case 'not':
      return `not ${filter.item.kind === 'and' || filter.item.kind === 'or' ? `(${formatFilter(filter.item)})` : formatFilter(filter.item)}`;
    case 'text':
      return filter.scope === 'any' ? `any:${quote(filter.text)}` : quote(filter.text);
    case 'exists':
      return `exists(${formatField(filter.field)})`;
    case 'since':
    case 'until':
      return `${filter.kind}:${quote(filter.time.text)}`;
    default:
      return `${formatField(filter.field)}${filter.orAbsent ? '?' : ''}${formatCondition(filter)}`;
  }
}

type FieldCondition = Extract<Filter, { readonly orAbsent: boolean }>;

function formatCondition(filter: FieldCondition): string {
  const { field } = filter;
  switch (filter.kind) {
    case 'compare':
      return `${filter.op}${formatValue(filter.value, field)}`;
    case 'range':
      return `:${formatValue(filter.low, field)}..${formatValue(filter.high, field)}`;
    case 'in':
      return ` in (${filter.values.map((value) => formatValue(value, field)).join(', ')})`;
    case 'in-file':
      return ` in @${quote(filter.file)}`;
    case 'glob':
      return `:${filter.parts.join('*')}`;
    case 'contains':
      return `${filter.negated ? '!~' : '~'}${quote(filter.text)}`;
    default:
      return `${filter.negated ? '!=~' : '=~'}/${escapeSlashes(filter.pattern)}/${filter.flags}`;
  }
}

/** Inside `/…/` a slash is escaped; escapes that the expression has itself stay together. */
function escapeSlashes(pattern: string): string {
  return pattern.replace(/\\[^]|\//g, (part) => (part === '/' ? '\\/' : part));
}

function formatValue(value: Value, field: Field): string {
  if (value.kind === 'boolean') return String(value.value);
  if (value.kind === 'time') return quote(value.text);
  if (value.kind === 'string') return quote(value.value);
  return field.kind === 'column' && field.name === 'level'
    ? formatLevel(value.value)
    : formatNumber(value.value);
}

/** `-0` keeps its sign. */
function formatNumber(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function formatStage(stage: Stage): string {
  switch (stage.kind) {
    case 'count':
      return `count${formatBy(stage.by)}`;
    case 'top':
      return `top ${stage.limit} ${formatField(stage.field)}`;
    case 'hist':
      return `hist ${formatStep(stage.stepMs)}${formatBy(stage.by)}`;
    case 'stats':
      return `stats ${stage.aggregates.map((aggregate) => formatAggregate(aggregate)).join(', ')}${formatBy(stage.by)}`;
    case 'fields':
      return `fields ${stage.fields.map(formatField).join(', ')}`;
    case 'sort':
      return `sort ${formatField(stage.field)}${stage.descending ? ' desc' : ''}`;
    case 'limit':
      return `limit ${stage.limit}`;
    default:
      return `context ${stage.before},${stage.after}`;
  }
}

function formatBy(fields: readonly Field[]): string {
  return fields.length === 0 ? '' : ` by ${fields.map(formatField).join(', ')}`;
}

/** An aggregate as a query writes it; without `as` also the name of its column. */
export function formatAggregate(aggregate: Aggregate): string {
  const fn = aggregate.fn === 'percentile' ? `p${aggregate.percent}` : aggregate.fn;
  const argument = aggregate.field ? `(${formatField(aggregate.field)})` : '';
  const as = aggregate.as === undefined ? '' : ` as ${quote(aggregate.as)}`;
  return fn + argument + as;
}

const STEPS = ['w', 'd', 'h', 'm', 's', 'ms'].map((unit) => ({ unit, ms: parseDuration(`1${unit}`) }));

function formatStep(stepMs: number): string {
  const step = STEPS.find(({ ms }) => stepMs % ms === 0);
  return step ? `${stepMs / step.ms}${step.unit}` : `${stepMs}ms`;
}
