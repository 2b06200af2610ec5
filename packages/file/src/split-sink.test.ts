import fs from 'node:fs';
import { createBatch } from '@treeline/contract';
import { lines, record } from '@treeline/contract/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LogFolder, numbered, until } from './log-folder.test.fixture.ts';
import { formatSplitName } from './split-sink.ts';

test('each value of the field has a file of its own, in order, and what has none goes to _', async () => {
  await using folder = new LogFolder();
  const sink = await folder.open({ splitBy: 'tenant' });
  const tenants = ['acme', 'zen', 'acme', undefined, '', 7, 'acme'];
  await sink.write(createBatch(lines(tenants.map((tenant, index) => record(index, { tenant })))));
  expect(folder.names).toEqual(['app._.log', 'app.acme.log', 'app.zen.log']);
  expect(folder.read('app.acme.log')).toEqual([0, 2, 6]);
  expect(folder.read('app._.log')).toEqual([3, 4, 5]);
});

test('files of long values are rotated and compressed like others', async () => {
  await using folder = new LogFolder();
  const sink = await folder.open({ splitBy: 'tenant', rotation: { size: 1000 }, compress: 'gzip' });
  await sink.write(numbered(0, 20, { tenant: 'x'.repeat(118) }));
  await until(
    () => folder.names.length > 2 && folder.names.every((name) => /\.(?:log|gz)$/.test(name)),
    'compressed files',
  );
  expect(folder.events).toEqual([]);
});

test('no more files are open than allowed, and nothing is lost over it', async () => {
  await using folder = new LogFolder();
  const sink = await folder.open({ splitBy: 'tenant', maxOpenFiles: 2 });
  for (let index = 0; index < 10; index++)
    await sink.write(numbered(index, index + 1, { tenant: `t${index % 5}` }));
  const open = fs.readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return [];
    }
  });
  expect(open.filter((target) => target.startsWith(folder.path) && target.endsWith('.log'))).toHaveLength(2);
  expect(folder.read('app.t3.log')).toEqual([3, 8]);
});

test('no value leaves the folder, and no two share a file', () => {
  const value = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('..', '../../etc/passwd', '/', '_', '%5F', 'a.gz', '\0', 'x'.repeat(5000)),
  );
  fc.assert(
    fc.property(value, value, (a, b) => {
      const name = formatSplitName(a);
      expect(name).toMatch(/^[\w%~-]{1,255}$/);
      if (a !== b && a !== '' && b !== '') expect(name).not.toBe(formatSplitName(b));
    }),
  );
});
