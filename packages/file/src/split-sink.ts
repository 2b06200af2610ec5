import { createHash } from 'node:crypto';
import path from 'node:path';
import { selectLines, TreelineError, type Batch, type Sink, type WriteResult } from '@treeline/contract';

/** File systems take names of 255 bytes; date, index and suffix still come behind. */
const MAX_VALUE_BYTES = 120;

type OpenSink = (logPath: string) => Promise<Sink & { reopen(): Promise<void> }>;

/** One file for each value of a field: `app.log` becomes `app.<value>.log`, all in one folder whatever the value is. */
export class SplitSink implements Sink {
  readonly #path: string;
  readonly #field: string;
  readonly #maxOpenFiles: number;
  readonly #open: OpenSink;
  /** Used last, stands last. */
  readonly #sinks = new Map<string, Awaited<ReturnType<OpenSink>>>();
  #isClosed = false;

  constructor(logPath: string, field: string, maxOpenFiles: number, open: OpenSink) {
    this.#path = logPath;
    this.#field = field;
    this.#maxOpenFiles = maxOpenFiles;
    this.#open = open;
  }

  async write(batch: Batch): Promise<WriteResult | void> {
    if (this.#isClosed)
      throw new TreelineError('CLOSED', `${this.#path} was closed: open a new stream to write to it`);
    const retry: number[] = [];
    let fault: unknown;
    for (const [name, indexes] of this.#groups(batch)) {
      try {
        const sink = await this.#sink(name);
        const result = await sink.write(selectLines(batch, indexes));
        retry.push(...(result?.retry ?? []).map((index) => indexes[index] ?? 0));
      } catch (error) {
        fault = error;
        retry.push(...indexes);
      }
    }
    if (retry.length === batch.count && fault !== undefined) throw fault;
    if (retry.length > 0) return { retry };
  }

  async flush(): Promise<void> {
    await Promise.all([...this.#sinks.values()].map((sink) => sink.flush()));
  }

  async reopen(): Promise<void> {
    await Promise.all([...this.#sinks.values()].map((sink) => sink.reopen()));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#sinks.values()].map((sink) => sink.close()));
    this.#sinks.clear();
  }

  #groups(batch: Batch): Map<string, number[]> {
    const groups = new Map<string, number[]>();
    for (const [index, record] of batch.records().entries()) {
      const name = formatSplitName(record[this.#field]);
      const indexes = groups.get(name);
      if (indexes) indexes.push(index);
      else groups.set(name, [index]);
    }
    return groups;
  }

  async #sink(name: string): Promise<Sink> {
    const sink = this.#sinks.get(name) ?? (await this.#open(this.#pathOf(name)));
    this.#sinks.delete(name);
    this.#sinks.set(name, sink);
    for (const [eldest, other] of this.#sinks) {
      if (this.#sinks.size <= this.#maxOpenFiles) break;
      this.#sinks.delete(eldest);
      await other.close();
    }
    return sink;
  }

  #pathOf(name: string): string {
    const { dir, name: stem, ext } = path.parse(this.#path);
    return path.join(dir, `${stem}.${name}${ext}`);
  }
}

/**
 * A field's value as a part of a file name: no two values share one, none leaves the folder, and none reads as a rotated file's date or
 * a compressed file's suffix. What is absent, empty or no string is `_`.
 */
export function formatSplitName(value: unknown): string {
  if (typeof value !== 'string' || value === '') return '_';
  if (value === '_') return '%5F';
  const name = value.replace(/[^A-Za-z0-9_-]/gu, (char) =>
    [...Buffer.from(char)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  );
  if (name.length <= MAX_VALUE_BYTES) return name;
  return `${name.slice(0, MAX_VALUE_BYTES - 33)}~${createHash('sha256').update(value).digest('hex').slice(0, 32)}`;
}
