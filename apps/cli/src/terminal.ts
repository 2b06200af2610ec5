import { once } from 'node:events';

const CHUNK_CHARS = 64 * 1024;

/** Tells something on stderr. Texts may quote file names and log content: no control character but line feeds reaches the terminal. */
export function tell(message: string): void {
  process.stderr.write(`treeline: ${printable(message)}\n`);
}

/** Makes control characters visible; line feeds stay. */
export function printable(text: string): string {
  return text.replace(
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Prints texts as fast as standard output takes them. Ends early, and quietly, when its reader goes away (`| head`). */
export async function print(texts: Iterable<string>): Promise<void> {
  const output = openOutput();
  let gathered = '';
  for (const text of texts) {
    gathered += text;
    if (gathered.length < CHUNK_CHARS) continue;
    await output.write(gathered);
    gathered = '';
    if (output.closed) return;
  }
  await output.write(gathered);
}

interface Output {
  readonly closed: boolean;
  write(text: string): Promise<void>;
}

function openOutput(): Output {
  let closed = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    closed = true;
  });
  return {
    get closed() {
      return closed;
    },
    async write(text) {
      if (closed || text === '' || process.stdout.write(text)) return;
      await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'close')]).catch(
        () => undefined,
      );
    },
  };
}
