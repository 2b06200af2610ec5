import fs from 'node:fs';

const nothing = new Int32Array(new SharedArrayBuffer(4));

/** Says a line on stdout before it returns, also where the pipe does not block and its reader is behind. */
export function say(line) {
  const bytes = Buffer.from(`${line}\n`);
  for (let written = 0; written < bytes.length;) {
    try {
      written += fs.writeSync(1, bytes, written);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(nothing, 0, 0, 1);
    }
  }
}
