import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readRecords, runProgram, scratchFolder } from './program.ts';

test('level directives of the environment reach streams without a level, and leave the others theirs', async () => {
  using folder = scratchFolder();
  const { stderr, code } = await runProgram('logs-by-name.mjs', [folder.path], {
    cwd: folder.path,
    env: { LOG_LEVEL: 'info,db=debug,http[request{method=POST}]=trace,[noisy]=off' },
  });
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  const messagesIn = (file: string): unknown[] =>
    readRecords(join(folder.path, file)).flatMap(({ msg }) => (msg === undefined ? [] : [msg]));
  const common = ['root info', 'root warn', 'db debug', 'db info', 'db warn', 'http info', 'http warn'];
  expect(messagesIn('inherits.log')).toEqual([...common, 'http trace in POST']);
  expect(messagesIn('own.log')).toEqual([
    'root debug',
    'root info',
    'root warn',
    'db debug',
    'db info',
    'db warn',
    'http debug',
    'http info',
    'http warn',
  ]);
});
