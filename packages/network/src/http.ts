import type { Answer, Lines, Outcome, Protocol } from './protocol.ts';
import type { ParsedNetworkOptions } from './options.ts';
import { isPlainJson, jsonArray, spliceLines } from './body.ts';
import { describeAnswer, statusOutcome } from './status.ts';

/** Lines in a body, for any server that takes them: one after the other, or as one array. */
export function createHttpProtocol({ method, format, idField }: ParsedNetworkOptions): Protocol {
  const isArray = format === 'json';
  return {
    method: method ?? 'POST',
    path: '',
    contentType: isArray ? 'application/json' : 'application/x-ndjson',
    body(lines) {
      const ndjson = idField === undefined ? plainLines(lines) : linesWithId(lines, idField);
      return isArray ? jsonArray(ndjson) : ndjson;
    },
    outcome,
  };
}

function plainLines(lines: Lines): Buffer {
  return isPlainJson(lines.batch) && !lines.rewritten ? lines.batch.bytes : spliceLines(lines, () => '');
}

function linesWithId(lines: Lines, idField: string): Buffer {
  const key = JSON.stringify(idField);
  const member = (index: number): string => `${key}:"${lines.idOf(index)}"`;
  return spliceLines(lines, member, { replacing: idField });
}

function outcome(answer: Answer): Outcome {
  const general = statusOutcome(answer);
  if (general.kind !== 'delivered') return general;
  if (saysError(answer)) return { kind: 'retry', reason: describeAnswer(answer) };
  // What stands in the rest may be an error: what is sent twice is better than what is lost.
  if (!answer.isWhole && isObjectText(answer.text))
    return { kind: 'retry', reason: `it answers more than is read: ${describeAnswer(answer)}` };
  return answer.isWhole ? general : { kind: 'delivered', warning: 'it answers more than is read' };
}

/** A page for people where a machine was expected (a proxy, a login), or an error behind a status of success. */
function saysError({ contentType, text }: Answer): boolean {
  if (/^text\/html\b/i.test(contentType)) return true;
  if (!isObjectText(text)) return false;
  try {
    const { error, errors, success, status } = JSON.parse(text) as Record<string, unknown>;
    return (
      isFilled(error) ||
      isFilled(errors) ||
      success === false ||
      /^(error|fail(ed|ure)?)$/i.test(String(status))
    );
  } catch {
    return false;
  }
}

function isObjectText(text: string): boolean {
  return text.trimStart().startsWith('{');
}

function isFilled(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}
