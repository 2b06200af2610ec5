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

/**
 * Prints lines as fast as standard output takes them. Ends early, and quietly, when its reader goes away (`| head`).
 *
 * @returns how many lines were taken from the iterable.
 */
export async function printLines(lines: Iterable<string>): Promise<number> {
  const output = openOutput();
  let count = 0;
  let text = '';
  for (const line of lines) {
    count++;
    text += `${line}\n`;
    if (text.length < CHUNK_CHARS) continue;
    await output.write(text);
    text = '';
    if (output.closed) break;
  }
  await output.write(text);
  return count;
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
      await Promise.race([once(process.stdout, 'drain'), once(process.stdout, 'close')]).catch(() => undefined);
    },
  };
}
