import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatEvent, readEvents, type ServerSentEvent } from './sse.ts';

async function* chunksOf(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0;
  for (const cut of [...cuts].toSorted((a, b) => a - b)) {
    if (cut <= from || cut >= bytes.length) continue;
    yield bytes.subarray(from, cut);
    from = cut;
  }
  yield bytes.subarray(from);
}

async function readAll(text: string, cuts: readonly number[] = []): Promise<ServerSentEvent[]> {
  const events: ServerSentEvent[] = [];
  for await (const event of readEvents(chunksOf(Buffer.from(text), cuts))) events.push(event);
  return events;
}

describe('readEvents', () => {
  test('gives back what formatEvent wrote, wherever the chunks are cut and however lines end', async () => {
    const line = fc.string({ unit: 'binary' }).map((text) => text.replaceAll(/[\r\n]/gu, ' '));
    const event = fc.record(
      {
        event: line.filter((text) => text !== ''),
        data: fc.array(line, { minLength: 1 }).map((lines) => lines.join('\n')),
      },
      { requiredKeys: ['data'] },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(event),
        fc.array(fc.nat(500)),
        fc.constantFrom('\n', '\r', '\r\n'),
        async (events, cuts, lineEnd) => {
          const text = events.map(formatEvent).join('').replaceAll('\n', lineEnd);
          expect(await readAll(text, cuts)).toEqual(events);
        },
      ),
    );
  });

  test.each([
    [
      'passes over comments, ids and unknown fields',
      ': hi\nid: 1\nretry: 5\nfoo\ndata: x\n\n',
      [{ data: 'x' }],
    ],
    ['takes one space off a value', 'data:  x\n\n', [{ data: ' x' }]],
    ['gives out an empty data line', 'data\n\n', [{ data: '' }]],
    ['gives out no event without data', 'event: ping\n\n', []],
    ['gives out no event that the end cuts off', 'data: x\n\ndata: y\n', [{ data: 'x' }]],
  ])('%s', async (_title, text, expected) => {
    expect(await readAll(text)).toEqual(expected);
  });

  test.each([
    ['one line', 'data: '.padEnd(2 * 1024 * 1024, 'x')],
    ['many lines', 'data: 0123456789\n'.repeat(200_000)],
  ])('refuses an event that never ends, in %s', async (_title, text) => {
    await expect(readAll(text)).rejects.toThrow(RangeError);
  });
});
