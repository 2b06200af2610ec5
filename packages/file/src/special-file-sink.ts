import {
  messageOf,
  openPathWriter,
  TreelineError,
  type Batch,
  type FdWriter,
  type Sink,
} from '@treeline/contract';

/** A FIFO or device: written without ever blocking, never rotated. */
export class SpecialFileSink implements Sink {
  readonly #path: string;
  #writer: FdWriter | undefined;
  #closed = false;

  constructor(path: string) {
    this.#path = path;
  }

  async write(batch: Batch): Promise<void> {
    if (this.#closed)
      throw new TreelineError('CLOSED', `${this.#path} was closed: open a new stream to write to it`);
    try {
      this.#writer ??= openPathWriter(this.#path);
      await this.#writer.write(batch.bytes);
    } catch (error) {
      this.#release();
      throw new TreelineError(
        'DESTINATION_UNUSABLE',
        `nobody reads ${this.#path} now (${messageOf(error)}): start its reader`,
        { cause: error },
      );
    }
  }

  async flush(): Promise<void> {
    // What write has resolved for is with the reader or in the pipe.
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#release();
  }

  #release(): void {
    this.#writer?.close();
    this.#writer = undefined;
  }
}
