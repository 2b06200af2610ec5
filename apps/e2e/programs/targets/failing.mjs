import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { Writable } from 'node:stream';

/** Fails with an `error` event at its third write, once for each `mark`. */
export default function failing({ path, mark }) {
  let writes = 0;
  return new Writable({
    write(chunk, encoding, callback) {
      if (++writes === 3 && !existsSync(mark)) {
        writeFileSync(mark, '');
        callback(new Error('this target fails'));
        return;
      }
      appendFileSync(path, chunk);
      callback();
    },
  });
}
