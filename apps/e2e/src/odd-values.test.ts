import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LogRecord } from '@treeline/contract';
import { openLogStore } from '@treeline/sqlite';
import { expect, test } from 'vitest';
import { runProgram, scratchFolder } from './program.ts';

interface Report {
  readonly names: readonly string[];
  readonly ok: boolean;
  readonly thrown: readonly string[];
  readonly reservedKeys: number;
  readonly cutLines: number;
}

test.each(['worker', 'in-process'])(
  'whatever is logged, the call returns, one valid line arrives, and the next is intact (%s)',
  async (mode) => {
    using folder = scratchFolder();
    const streams = [
      { name: 'file', type: 'file', path: 'odd.log' },
      { name: 'store', type: 'sqlite', path: 'odd.db' },
    ];
    const config = JSON.stringify({ serviceName: 'odd', mode, streams });
    const ended = await runProgram('logs-odd-values.mjs', [config], { cwd: folder.path });
    expect(ended.code, ended.stderr).toBe(0);
    const { names, ok, thrown, reservedKeys, cutLines } = JSON.parse(ended.stdout) as Report;
    expect({ ok, thrown, reservedKeys }).toEqual({ ok: true, thrown: [], reservedKeys: 4 });

    const lines = readFileSync(join(folder.path, 'odd.log'), 'utf8').split('\n').slice(0, -1);
    const records = lines.map((line) => JSON.parse(line) as LogRecord);
    expect(records).toHaveLength(names.length * 3 + 1);
    for (const [index, name] of names.entries()) {
      const [before, odd, after] = records.slice(index * 3);
      expect(before).toMatchObject({ level: 30, before: name });
      expect(odd, name).toMatchObject({ level: 40 });
      expect(after).toMatchObject({ level: 30, after: name });
    }
    const oddOf = (name: string): LogRecord | undefined => records[names.indexOf(name) * 3 + 1];
    expect(oddOf('throwing getter')).toMatchObject({ fine: 1, unloggable: 'boom' });
    expect(oddOf('a level and a time of its own')).toMatchObject({
      'user.level': 'high',
      'user.time': 'noon',
      time: expect.any(Number) as number,
    });
    expect(records.at(-1)).toMatchObject({ level: 30, 'user.level': 'mine', 'user.trace_id': 'mine' });
    const cut = records.filter((record) => 'truncated' in record);
    expect(cut).toHaveLength(cutLines);

    const store = openLogStore(join(folder.path, 'odd.db'));
    expect(store.queryLogs({ order: 'asc' }).map(({ record }) => record['msg'])).toEqual(
      records.map(({ msg }) => msg),
    );
    store.close();
  },
);
