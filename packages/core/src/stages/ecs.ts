import { formatLevel, readTimeMs, type LogRecord } from '@treeline/contract';
import { isoTime } from './logfmt.ts';
import type { ServiceFacts } from './format.ts';

/** The version of the Elastic Common Schema that the fields are of: https://www.elastic.co/docs/reference/ecs/ecs-field-reference */
const ECS_VERSION = '9.4.0';

/**
 * The first segments of all fields of the schema. A record's own key of such a name (`host`, `source`, `user`) would be of another type
 * than the index expects, and the whole document would be refused: it moves below `treeline`.
 */
export const ECS_FIELD_SETS: ReadonlySet<string> = new Set(
  (
    '@timestamp agent client cloud container data_stream destination device dll dns ecs email entity error event faas file gen_ai ' +
    'group host http labels log message network observer orchestrator organization package process registry related rule server ' +
    'service source span tags threat tls trace transaction url user user_agent volume vulnerability'
  ).split(' '),
);

/** Keys that have a field of their own; all others stay as they are. */
const TAKEN: ReadonlySet<string> = new Set([
  'level',
  'time',
  'msg',
  'name',
  'service',
  'pid',
  'hostname',
  'trace_id',
  'span_id',
  'req_id',
  'err',
]);

/** A record as a document of the Elastic Common Schema, as ECS loggers write it: https://github.com/elastic/ecs-logging */
export function toEcs(record: LogRecord, service: ServiceFacts): string {
  const timeMs = readTimeMs(record.time);
  const document: Record<string, unknown> = {
    '@timestamp': isoTime(timeMs ?? Date.now()),
    'log.level': formatLevel(record.level),
    message: record.msg ?? '',
    'ecs.version': ECS_VERSION,
  };
  const set = (field: string, value: unknown, as: 'text' | 'number'): void => {
    if (as === 'text' && (typeof value === 'string' || typeof value === 'number'))
      document[field] = String(value);
    if (as === 'number' && typeof value === 'number') document[field] = value;
  };
  set('log.logger', record.name, 'text');
  set('service.name', record['service'], 'text');
  set('service.version', service.version, 'text');
  set('service.environment', service.environment, 'text');
  set('process.pid', record['pid'], 'number');
  set('host.hostname', record['hostname'], 'text');
  set('trace.id', record['trace_id'], 'text');
  set('span.id', record['span_id'], 'text');
  set('http.request.id', record['req_id'], 'text');
  setRequest(record, set);
  setError(record['err'], set);
  const own: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(record)) {
    if (TAKEN.has(key)) continue;
    if (ECS_FIELD_SETS.has(key.split('.', 1)[0] ?? key)) own[key] = value;
    else document[key] = value;
  }
  if (Object.keys(own).length > 0) document['treeline'] = { ...objectOf(document['treeline']), ...own };
  return JSON.stringify(document);
}

type SetField = (field: string, value: unknown, as: 'text' | 'number') => void;

/** What pino's standard serializers make of a request and its response; the objects themselves stay. */
function setRequest(record: LogRecord, set: SetField): void {
  const request = objectOf(record['req']);
  set('http.request.method', request['method'], 'text');
  set('url.original', request['url'], 'text');
  set('client.address', request['remoteAddress'], 'text');
  set('client.port', request['remotePort'], 'number');
  set('http.response.status_code', objectOf(record['res'])['statusCode'], 'number');
}

function setError(error: unknown, set: SetField): void {
  const { type, message, stack, code } = objectOf(error);
  set('error.type', type, 'text');
  set('error.message', typeof error === 'string' ? error : message, 'text');
  set('error.stack_trace', stack, 'text');
  set('error.code', code, 'text');
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
