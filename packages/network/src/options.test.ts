import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { options } from './options.ts';

const URL_OK = 'http://log-collector:8080/logs';

function mistakes(given: object): string[] {
  const { issues = [] } = v.safeParse(options, given);
  return issues.map(
    ({ path, message }) => `${(path ?? []).map(({ key }) => String(key)).join('.')}: ${message}`,
  );
}

describe('options', () => {
  test('takes the founding stream and fills in what it leaves out; parsing again changes nothing', () => {
    const parsed = v.parse(options, { url: URL_OK, method: 'POST', timeout: '10s', retry: { minMs: '1s' } });
    expect(parsed).toEqual({
      url: URL_OK,
      protocol: 'http',
      method: 'POST',
      headers: {},
      compress: 'none',
      timeout: 10_000,
      retry: { minMs: 1000, maxMs: 30_000, holdMs: 30_000 },
      shutdown: { timeout: 500 },
    });
    expect(v.parse(options, parsed)).toEqual(parsed);
  });

  test.each([
    ['no url', {}, 'url: must be given'],
    ['a url that is none', { url: 'log-collector' }, 'url: must be an address like'],
    ['another scheme', { url: 'ftp://x/logs' }, 'url: must begin with http:// or https://; got ftp:'],
    ['a file', { url: 'file:///etc/passwd' }, 'url: must begin with http:// or https://; got file:'],
    ['credentials', { url: 'http://me:secret@x/' }, 'url: must not hold a user or password'],
    ['a line feed in the url', { url: 'http://x/lo\ngs' }, 'url: must have no line breaks'],
    ['a carriage return behind the url', { url: `${URL_OK}\r` }, 'url: must have no line breaks'],
    [
      'a header that stands twice',
      { url: URL_OK, headers: { 'X-Key': 'a', 'x-key': 'b' } },
      'headers.x-key: must stand once',
    ],
    ['a fragment', { url: 'http://x/#top' }, 'url: must not have a fragment'],
    [
      'a header with a line feed',
      { url: URL_OK, headers: { a: 'b\nevil: 1' } },
      'headers.a: must have no line breaks',
    ],
    [
      'a header with a carriage return',
      { url: URL_OK, headers: { a: 'b\r' } },
      'headers.a: must have no line breaks',
    ],
    [
      'a header name with a colon',
      { url: URL_OK, headers: { 'a:': 'b' } },
      'headers.a:: must have a name of letters',
    ],
    [
      'a header of ours',
      { url: URL_OK, headers: { 'Content-Length': '1' } },
      'headers.Content-Length: must not be set',
    ],
    ['a number as header', { url: URL_OK, headers: { a: 1 } }, 'headers.a: must be a text'],
    ['another method', { url: URL_OK, method: 'GET' }, 'method: must be one of POST, PUT'],
    ['another format', { url: URL_OK, format: 'xml' }, 'format: must be one of ndjson, json'],
    ['an unknown key', { url: URL_OK, retries: 3 }, 'retries: is no option here'],
    [
      'half a client certificate',
      { url: URL_OK, tls: { cert: 'c.pem' } },
      'tls: must have both cert and key',
    ],
    ['waits that shrink', { url: URL_OK, retry: { minMs: '1m' } }, 'retry: must have a minMs up to maxMs'],
    ['no time at all', { url: URL_OK, timeout: 0 }, 'timeout: must be from 1 ms'],
    ['elasticsearch without an index', { url: URL_OK, protocol: 'elasticsearch' }, 'index: must be given'],
    [
      'an index with a wildcard',
      { url: URL_OK, protocol: 'elasticsearch', index: 'logs-*' },
      'index: must be the name of a data stream',
    ],
    [
      'an index that leads elsewhere',
      { url: URL_OK, protocol: 'elasticsearch', index: '../_cluster' },
      'index: must be the name of a data stream',
    ],
    ['an index over http', { url: URL_OK, index: 'x' }, 'index: must not be set where the protocol is http'],
    [
      'a format for elasticsearch',
      { url: URL_OK, protocol: 'elasticsearch', index: 'x', format: 'json' },
      'format: must not be set where the protocol is elasticsearch',
    ],
  ])('refuses %s', (_, given, message) => {
    expect(mistakes(given)).toEqual([expect.stringContaining(message)]);
  });

  test('never quotes a secret', () => {
    const told = mistakes({
      url: 'http://me:hunter22@x/',
      headers: { authorization: 'Bearer hunter22\n' },
    }).join();
    expect(told).not.toContain('hunter22');
  });
});
