import { join } from 'node:path';
import type { LogRecord } from '@treeline/contract';
import { describe, expect, test } from 'vitest';
import { readRecords, runProgram, scratchFolder, type Ended } from './program.ts';

interface Held extends Ended {
  readonly records: readonly LogRecord[];
  /** The messages of the records on stderr. */
  readonly rescued: readonly unknown[];
}

async function hold(how: string): Promise<Held> {
  using folder = scratchFolder();
  const path = join(folder.path, 'out.log');
  const ended = await runProgram('holds.mjs', [how, path], { cwd: folder.path });
  const rescued = ended.stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => (JSON.parse(line) as LogRecord).msg);
  return { ...ended, records: readRecords(path), rescued };
}

const messagesOf = ({ records }: Held): unknown[] => records.map(({ msg }) => msg);

describe('records that are held back at the start', () => {
  test('go out at the release, with their own times and ids, before what is logged meanwhile and after', async () => {
    const held = await hold('releases');
    expect(messagesOf(held)).toEqual([
      'a detail',
      'starts',
      'is doubtful',
      'is broken',
      undefined,
      undefined,
      'after',
    ]);
    const times = held.records.map(({ time }) => Number(time));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(held.records[4]).toMatchObject({ span: { op: 'open' }, span_seq: 0 });
    expect(held.stderr).toBe('');
  });

  test('are judged by the level that holds at the release', async () => {
    expect(messagesOf(await hold('quiet'))).toEqual(['is broken']);
    expect(messagesOf(await hold('closes'))).toEqual(['starts', 'is doubtful', 'is broken']);
  });

  test('are judged by the directives of the span that they were logged in', async () => {
    const held = await hold('in-span');
    expect(messagesOf(held)).toEqual(['starts', 'is doubtful', 'is broken', undefined, 'a trace', undefined]);
  });

  test('are released by a program that survives a signal, and stand on stderr once', async () => {
    const held = await hold('survives');
    expect(messagesOf(held)).toEqual(['starts', 'is doubtful', 'is broken', 'after']);
    expect(held.rescued).toEqual(['is doubtful', 'is broken']);
  });

  test('don’t stand in the way of help: a good end shows errors alone', async () => {
    const { code, stdout, rescued, stderr, records } = await hold('help');
    expect({ code, stdout, rescued, records }).toEqual({
      code: 0,
      stdout: 'the help\n',
      rescued: ['is broken'],
      records: [],
    });
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  test.each([
    ['exits with a code', 'fails', 3, null],
    ['throws', 'throws', 1, null],
    ['leaves a rejection unhandled', 'rejects', 1, null],
    ['gets a signal', 'signal', null, 'SIGTERM'],
  ] as const)('that matter are on stderr when the process %s', async (_, how, code, signal) => {
    const held = await hold(how);
    expect({ code: held.code, signal: held.signal }).toEqual({ code, signal });
    expect(held.rescued).toEqual(['is doubtful', 'is broken']);
    expect(held.stderr).toContain(
      how === 'signal'
        ? 'treeline: 2 records below warn are held back, and lost if it ends now'
        : 'treeline: 2 records below warn were held back and are lost',
    );
  });

  test('are let go of by discard, and so is what follows; what is to be kept goes to stderr', async () => {
    const silent = await hold('silent');
    expect([silent.stderr, silent.records]).toEqual(['', []]);
    const rescues = await hold('rescues');
    expect([rescues.rescued, rescues.records]).toEqual([['is broken', 'the end'], []]);
  });

  test('are bounded: the oldest of the less important go first, counted and told', async () => {
    const held = await hold('flood');
    const messages = messagesOf(held);
    expect(messages.slice(0, 2)).toEqual(['is doubtful', 'is broken']);
    expect(messages.at(-2)).toBe('n 999');
    expect(held.records.at(-1)).toMatchObject({
      msg: 'start-up records were dropped',
      dropped: expect.any(Number),
    });
    expect(held.records.length - 1 + Number(held.records.at(-1)?.['dropped'])).toBe(1004);
    expect(held.records.length).toBeLessThanOrEqual(101);
  });
});
