import { createLogger, type TreelineLogger } from '@treeline/core';
import { symbols } from 'pino';

/** A logger whose lines are thrown away where its pipeline would take them, so that no worker's time is counted with them. */
export function createSilentLogger(config: object = {}): { logger: TreelineLogger; lines: () => number } {
  const logger = createLogger({ level: 'info', ...config });
  let lines = 0;
  const destination = { write: () => void lines++ };
  Object.assign(logger, { [symbols.streamSym]: destination });
  return { logger, lines: () => lines };
}
