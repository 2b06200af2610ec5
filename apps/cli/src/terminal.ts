import { once } from 'node:events';

const CHUNK_CHARS = 64 * 1024;

/** And for so long, where rows come slowly. */
const GATHER_MS = 50;

/** Tells something on stderr. Texts may quote file names and log content: no control character but line feeds reaches the terminal. */
export function tell(message: string): void {
  writeError(`treeline: ${printable(message)}\n`);
}

let isStderrGuarded = false;

/** Writes to stderr. That its reader has gone must end no pipeline. */
export function writeError(text: string): void {
  // A listener that is there already may be a worker's pipe, which takes itself away and fails for want of others.
  if (!isStderrGuarded) process.stderr.on('error', () => undefined);
  isStderrGuarded = true;
  process.stderr.write(text);
}

/** Writes a short text to standard output, quietly where its reader has gone. */
export function writeOut(text: string): void {
  if (process.stdout.listenerCount('error') === 0) ignoreBrokenPipe(() => undefined);
  process.stdout.write(text);
}

function ignoreBrokenPipe(closed: () => void): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    closed();
  });
}

/** Makes control characters visible; line feeds stay. */
export function printable(text: string): string {
  return text.replace(
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Standard output for much text: gathered, and no faster than its reader. */
export interface Output {
  /** Whether the reader has gone (`| head`): a command ends then, quietly. */
  readonly closed: boolean;
  write(text: string): Promise<void>;
  /** Lets go of what was gathered. */
  flush(): Promise<void>;
}

export function openOutput(): Output {
  let gathered = '';
  let flushedAtMs = -Infinity;
  let closed = false;
  ignoreBrokenPipe(() => {
    closed = true;
  });
  const flush = async (): Promise<void> => {
    const text = gathered;
    gathered = '';
    flushedAtMs = performance.now();
    if (closed || text === '' || process.stdout.write(text)) return;
    const waited = new AbortController();
    const { signal } = waited;
    await Promise.race([
      once(process.stdout, 'drain', { signal }),
      once(process.stdout, 'close', { signal }),
    ]).catch(() => undefined);
    // The other one's listener would stay.
    waited.abort();
  };
  return {
    get closed() {
      return closed;
    },
    async write(text) {
      gathered += text;
      // A slow search shows what it has found: it blocks the thread, no timer would come.
      const isDue = performance.now() - flushedAtMs >= GATHER_MS;
      if (isDue || gathered.length >= CHUNK_CHARS) await flush();
    },
    flush,
  };
}
