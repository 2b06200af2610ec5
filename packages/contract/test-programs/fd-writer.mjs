// Writes a number of bytes to standard output and tells on standard error how it went, and whether the event loop kept turning.
// Takes { bytes, touchStdout, watchMs } as its argument.
import { setTimeout } from 'node:timers/promises';
import { openFdWriter } from '@treeline/contract';

const { bytes, touchStdout, watchMs } = JSON.parse(process.argv[2]);
// Node sets the shared description to non-blocking here; of a socket nothing else can.
if (touchStdout) void process.stdout;

let ticks = 0;
const ticking = setInterval(() => ticks++, 5);
const writer = openFdWriter(1);
const writing = writer.write(Buffer.alloc(bytes, 'x')).then(
  () => 'written',
  (error) => error.code,
);
const outcome = await Promise.race([writing, setTimeout(watchMs, 'waiting')]);
clearInterval(ticking);
writer.close();
const afterClose = await Promise.race([writing, setTimeout(200, 'waiting')]);
process.stderr.write(`${JSON.stringify({ outcome, ticks, afterClose })}\n`);
process.exit(0);
