import { existsSync, statSync } from 'node:fs';
import { formatBytes, formatLevel } from '@treeline/contract';
import { openLogReader, type LogReader, type LogRow } from '@treeline/sqlite';

const SLOWEST = 3;
const ERRORS = 3;
const MAX_CAUSES = 5;

/** What a store holds from a moment on: records by level, the slowest requests, the errors. Text for a terminal. */
export function summarise(storePath: string, since: number): string {
  const reader = openLogReader(storePath);
  try {
    return [
      ...describeLevels(reader, since),
      ...describeSlowest(reader, since),
      ...describeErrors(reader, since),
    ].join('\n');
  } finally {
    reader.close();
  }
}

/** The files of a run that exist, with their sizes. */
export function describeFiles(paths: readonly string[]): string {
  const width = Math.max(...paths.map((path) => path.length));
  return paths
    .filter((path) => existsSync(path))
    .map((path) => `  ${path.padEnd(width)}  ${formatBytes(statSync(path).size)}`)
    .join('\n');
}

function describeLevels(reader: LogReader, since: number): string[] {
  const counts = new Map<number, number>();
  for (const { level } of reader.iterate({ since })) counts.set(level, (counts.get(level) ?? 0) + 1);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const byLevel = [...counts]
    .toSorted(([a], [b]) => a - b)
    .map(([level, count]) => `${formatLevel(level)} ${count}`);
  return [`  ${total} records: ${byLevel.join(', ')}`];
}

function describeSlowest(reader: LogReader, since: number): string[] {
  const requests = [...reader.iterate({ since, type: 'request' })]
    .map((row) => ({ row, span: spanOf(row) }))
    .filter(({ span }) => span['op'] === 'close')
    .toSorted((a, b) => numberOf(b.span['duration_ns']) - numberOf(a.span['duration_ns']))
    .slice(0, SLOWEST);
  const lines = requests.map(({ row, span }) => {
    const durationMs = Math.round(numberOf(span['duration_ns']) / 1e6);
    const name = `${oneLine(span['name'])} ${outcomeOf(span)}`;
    return `    ${`${durationMs} ms`.padStart(8)}  ${name}  ${oneLine(row.payload['req_id'])}`;
  });
  return ['  slowest requests', ...lines];
}

function describeErrors(reader: LogReader, since: number): string[] {
  // A request that failed says so at its end, too.
  const errors = [...reader.iterate({ since, level: 'error' })].filter(({ payload }) => !('span' in payload));
  const rows = errors.toSorted((a, b) => b.ts - a.ts).slice(0, ERRORS);
  const more = errors.length > rows.length ? `, the newest ${rows.length}` : '';
  return [`  errors: ${errors.length}${more}`, ...rows.flatMap(describeError)];
}

function spanOf({ payload }: LogRow): Readonly<Record<string, unknown>> {
  const span = payload['span'];
  return typeof span === 'object' && span !== null ? (span as Record<string, unknown>) : {};
}

/** The response's status where there was one, else how the request ended. */
function outcomeOf({ attrs, status }: Readonly<Record<string, unknown>>): string {
  const code =
    typeof attrs === 'object' && attrs !== null && 'http.response.status_code' in attrs
      ? attrs['http.response.status_code']
      : undefined;
  return status === 'aborted' ? 'aborted' : oneLine(code ?? status);
}

function describeError(row: LogRow): string[] {
  const date = new Date(row.ts);
  // In local time, as the console printed it.
  const time = `${date.toTimeString().slice(0, 8)}.${String(date.getMilliseconds()).padStart(3, '0')}`;
  return [
    `    ${time}  ${oneLine(row.msg)}`,
    ...causesOf(row.payload['err']).map((cause) => `${' '.repeat(18)}because ${cause}`),
  ];
}

/** The causes of an error, outermost first. */
function causesOf(error: unknown): string[] {
  const causes: string[] = [];
  for (
    let cause = causeOf(error);
    cause !== undefined && causes.length < MAX_CAUSES;
    cause = causeOf(cause)
  ) {
    const { type, message } = (typeof cause === 'object' ? cause : { message: cause }) as {
      type?: unknown;
      message?: unknown;
    };
    causes.push(
      [type, message]
        .filter((part) => part !== undefined)
        .map(oneLine)
        .join(': '),
    );
  }
  return causes;
}

function causeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'cause' in error
    ? (error.cause ?? undefined)
    : undefined;
}

/** What came in from outside must not move the cursor or colour the terminal. */
function oneLine(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? '');
  return text.replaceAll(
    /[\u0000-\u001f\u007f-\u009f]/gu,
    (control) => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
