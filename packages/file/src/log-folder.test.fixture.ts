import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createBatch, parseOptions, type Batch, type Sink, type SinkEvent } from '@treeline/contract';
import { lines, record } from '@treeline/contract/testing';
import transport, { type FileOptions } from './index.ts';
import { openFileSink } from './open.ts';

/** A folder for log files, a clock that stands until it is set, and sinks that write into the one by the other. */
export class LogFolder implements AsyncDisposable {
  readonly path = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-file-'));
  readonly events: SinkEvent[] = [];
  now = Date.parse('2026-11-22T10:00:00');
  readonly #sinks: Sink[] = [];

  async open(options: Partial<FileOptions> = {}): Promise<Sink & { reopen?(): Promise<void> }> {
    const parsed = await parseOptions(transport.definition, { path: this.at('app.log'), ...options });
    const context = { streamName: 'test', report: (event: SinkEvent) => void this.events.push(event) };
    const sink = await openFileSink(parsed, context, () => this.now);
    this.#sinks.push(sink);
    return sink;
  }

  at(name: string): string {
    return path.join(this.path, name);
  }

  set time(iso: string) {
    this.now = Date.parse(iso);
  }

  /** The names of what is in the folder, the side folder left out. */
  get names(): string[] {
    return fs.readdirSync(this.path).filter((name) => name !== '.treeline');
  }

  /** The numbers of the records in a file, and any other line as text. */
  read(name: string): (number | string)[] {
    return fs.readFileSync(this.at(name), 'utf8').split('\n').slice(0, -1).map(numberOf);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sinks.map((sink) => sink.close()));
    fs.rmSync(this.path, { recursive: true });
  }
}

/** Records with these numbers. */
export function numbered(from: number, to: number, fields: Record<string, unknown> = {}): Batch {
  return createBatch(lines(Array.from({ length: to - from }, (_, index) => record(from + index, fields))));
}

function numberOf(line: string): number | string {
  try {
    return Number((JSON.parse(line) as { msg: string }).msg.replace('record ', ''));
  } catch {
    return line;
  }
}

/** Waits until something is so, and fails where it does not come. */
export async function until(isSo: () => boolean, what: string, timeoutMs = 12_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
