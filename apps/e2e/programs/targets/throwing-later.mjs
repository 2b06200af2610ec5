import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { Writable } from 'node:stream';

/** Throws outside of any call, once for each `mark`: in pino's own thread that ends the process. */
export default function throwingLater({ path, mark }) {
  return new Writable({
    write(chunk, encoding, callback) {
      appendFileSync(path, chunk);
      callback();
      if (existsSync(mark)) return;
      writeFileSync(mark, '');
      setTimeout(() => {
        throw new Error('thrown in a timer');
      }, 1);
    },
  });
}
