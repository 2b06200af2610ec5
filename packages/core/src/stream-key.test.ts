import { describe, expect, test } from 'vitest';
import type { StreamConfig } from './config/config.ts';
import { destinationKey } from './stream-key.ts';

const URL = 'http://search:9200/';
const ES = { url: URL, protocol: 'elasticsearch', index: 'a' };

function keyOf(type: string, options: object): string {
  return destinationKey({ name: 's', type, options } as StreamConfig);
}

describe('the key of a destination', () => {
  test.each([
    ['the index', 'network', ES, { ...ES, index: 'b' }],
    ['the protocol', 'network', ES, { url: URL }],
    ['the format', 'network', { url: URL }, { url: URL, format: 'json' }],
    ['the method', 'network', { url: URL }, { url: URL, method: 'PUT' }],
    ['the query', 'network', { url: `${URL}?db=a` }, { url: `${URL}?db=b` }],
    ['the path', 'file', { path: 'a.log' }, { path: 'b.log' }],
    ['the table', 'other', { path: 'a.db', table: 'a' }, { path: 'a.db', table: 'b' }],
    ['stderr', 'console', { stderr: false }, { stderr: true }],
    [
      "a target's options",
      'pino',
      { target: 't', options: { destination: 'a' } },
      { target: 't', options: { destination: 'b' } },
    ],
    ['options of others', 'other', { host: 'a' }, { host: 'b' }],
  ])('is another one when %s changes', (_, type, from, to) => {
    expect(keyOf(type, to)).not.toBe(keyOf(type, from));
  });

  test.each([
    [
      'a default that is written down',
      'network',
      { url: URL },
      { url: URL, protocol: 'http', method: 'POST' },
    ],
    ['headers', 'network', ES, { ...ES, headers: { authorization: 'x' } }],
    ['a token in the query', 'network', { url: `${URL}?token=a` }, { url: `${URL}?token=b` }],
    ['the rotation', 'file', { path: 'a.log' }, { path: 'a.log', rotation: { size: 1 } }],
    ['the format of a console', 'console', { format: 'json' }, { format: 'pretty' }],
    [
      "a secret of a target, and its options' order",
      'pino',
      { target: 't', options: { a: 1, apiKey: 'x', url: 'http://u:p@h/' } },
      { target: 't', options: { url: 'http://h/', apiKey: 'y', a: 1 } },
    ],
  ])('stays when nothing changes but %s', (_, type, from, to) => {
    expect(keyOf(type, to)).toBe(keyOf(type, from));
  });
});
