import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createBatch, type LogRecord } from '@treeline/contract';
import { lines, testTransport } from '@treeline/contract/testing';
import { afterAll, describe, test } from 'vitest';
import pretty, { createPrinter, type PrettyOptions } from './index.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-pretty-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

const shape: PrettyOptions = { mode: 'flat', color: 'never', maxLineBytes: '64M', origin: ['pid', 'host'] };
let count = 0;

/** A printed line stands for the record that it was printed for. */
const asPrinted = (text: string): LogRecord => ({ level: 30, msg: text });

/** A record of a level and a message alone is what the contract makes of a line that is no JSON, which passes through as it is. */
function arrivesAs(sent: LogRecord): LogRecord {
  const isText = Object.keys(sent).join() === 'level,msg';
  return asPrinted(
    isText
      ? (sent.msg ?? '')
      : createPrinter(shape)
          .write(createBatch(lines([sent])))
          .trimEnd(),
  );
}

describe('pretty', () => {
  for (const { name, run } of testTransport({
    transport: pretty,
    fresh: (): PrettyOptions => ({ ...shape, destination: path.join(folder, `${count++}.log`) }),
    read: (given) =>
      fs
        .readFileSync((given as { destination: string }).destination, 'utf8')
        .split('\n')
        .slice(0, -1)
        .map(asPrinted),
    arrivesAs,
    unusable: (): PrettyOptions => ({ ...shape, destination: path.join(folder, 'missing', 'x.log') }),
  })) {
    test(name, run);
  }
});
