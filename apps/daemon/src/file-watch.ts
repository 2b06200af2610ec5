import { createHash } from 'node:crypto';
import fs from 'node:fs';

/** How often files are looked at. By reading them: it needs no inotify, and sees a file that an editor has put in another's place. */
const POLL_MS = 100;

/**
 * Calls back when the content of one of the files is another one, and has been the same for two looks: half-written files are waited
 * out. A missing file has a content of its own. Returns a function that ends it.
 */
export function watchFiles(files: readonly string[], changed: (file: string) => void): () => void {
  const seen = new Map(files.map((file) => [file, { told: hashOf(file), last: hashOf(file) }]));
  const timer = setInterval(() => {
    for (const [file, state] of seen) {
      const hash = hashOf(file);
      const isSettled = hash === state.last;
      state.last = hash;
      if (!isSettled || hash === state.told) continue;
      state.told = hash;
      changed(file);
    }
  }, POLL_MS);
  return () => clearInterval(timer);
}

function hashOf(file: string): string {
  try {
    return createHash('sha256').update(fs.readFileSync(file)).digest('hex');
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
  }
}
