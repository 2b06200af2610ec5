import fs from 'node:fs';

/** Tells of trouble, and of its end. */
export default function alarm({ value: failures, logger }) {
  fs.writeFileSync('alarm.txt', `${failures}\n`);
  if (failures > 0) logger.warn({ type: 'alarm', failures }, 'runs have failed within the last minute');
}
