import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createBatch } from '@treeline/contract';
import { lines, record } from '@treeline/contract/testing';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { parsePrettyOptions } from './settings.ts';
import { openPrettySink } from './sink.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-pretty-sink-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

describe('openPrettySink', () => {
  test('prints to a FIFO without waiting in a call for its reader', async () => {
    const fifo = path.join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    expect(() => openPrettySink(parsePrettyOptions({ destination: fifo }))).toThrow(/ENXIO/);
    const reader = spawn('cat', [fifo], { stdio: ['ignore', 'pipe', 'inherit'] });
    const text = new Promise<string>((resolve) => {
      let out = '';
      reader.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
      reader.on('close', () => resolve(out));
    });
    const sink = await openWhenRead(fifo);
    await sink.write(createBatch(lines([record(1)])));
    await sink.close();
    expect(await text).toBe('INFO  record 1\n');
  });

  test('empties a file where append is false, and ends lines as crlf says', async () => {
    const destination = path.join(folder, 'file.log');
    fs.writeFileSync(destination, 'old\n');
    const sink = openPrettySink(parsePrettyOptions({ destination, append: false, crlf: true, time: 'none' }));
    await sink.write(createBatch(lines([record(1), record(2)])));
    await sink.close();
    await sink.close();
    expect(fs.readFileSync(destination, 'utf8')).toBe('INFO  record 1\r\nINFO  record 2\r\n');
  });

  test('prints no line twice where a disk is full for a while', async () => {
    const destination = path.join(folder, 'full.log');
    const sink = openPrettySink(parsePrettyOptions({ destination, time: 'none' }));
    const { writeSync } = fs;
    const spy = vi.spyOn(fs, 'writeSync');
    spy.mockImplementationOnce((fd) => writeSync(fd, 'INFO  record 1\nINFO'));
    spy.mockImplementationOnce(() => {
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    });
    const batch = createBatch(lines([record(1), record(2)]));
    await expect(sink.write(batch)).rejects.toThrow('ENOSPC');
    spy.mockRestore();
    await sink.write(batch);
    await sink.write(createBatch(lines([record(3)])));
    await sink.close();
    expect(fs.readFileSync(destination, 'utf8')).toBe('INFO  record 1\nINFO  record 2\nINFO  record 3\n');
  });

  test('tells at its close which spans are open', async () => {
    const destination = path.join(folder, 'open.log');
    const sink = openPrettySink(parsePrettyOptions({ destination, mode: 'live', time: 'none' }));
    const ids = { trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) };
    await sink.write(createBatch(lines([{ level: 30, ...ids, span: { op: 'open', name: 'job' } }])));
    await sink.close();
    expect(fs.readFileSync(destination, 'utf8')).toContain('job  unclosed');
  });
});

/** Until `cat` has opened its end, opening ours is refused. */
async function openWhenRead(fifo: string): Promise<ReturnType<typeof openPrettySink>> {
  for (;;) {
    try {
      return openPrettySink(parsePrettyOptions({ destination: fifo, time: 'none' }));
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
