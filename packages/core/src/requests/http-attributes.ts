import type { IncomingMessage } from 'node:http';
import type { Attributes } from '../context/attributes.ts';

/** Methods that stand for themselves; any other word may be anything. https://opentelemetry.io/docs/specs/semconv/http/http-spans/ */
const METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
  'QUERY',
]);

/** Query keys whose values are credentials, by the same page. */
const SECRET_QUERY =
  /([?&](?:X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token|AWSAccessKeyId|Signature|sig|X-Goog-Signature)=)[^&]*/g;

/** How a span tells of a method. */
export function methodName(method: string | undefined): string {
  return method !== undefined && METHODS.has(method) ? method : '_OTHER';
}

/** What is known of a request when it comes in, by OpenTelemetry's names. */
export function requestAttributes(request: IncomingMessage): Attributes {
  const { method, url = '', socket, headers } = request;
  const name = methodName(method);
  const query = url.indexOf('?');
  return {
    'http.request.method': name,
    'http.request.method_original': name === '_OTHER' ? method : undefined,
    'url.path': query < 0 ? url : url.slice(0, query),
    'url.query': query < 0 ? undefined : url.slice(query).replace(SECRET_QUERY, '$1REDACTED').slice(1),
    'url.scheme': 'encrypted' in socket ? 'https' : 'http',
    'client.address': socket.remoteAddress,
    'user_agent.original': headers['user-agent'],
  };
}
