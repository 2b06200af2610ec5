import type { Line } from './line.ts';
import type { PrinterSettings } from './settings.ts';

/** What is printed and what is not. */
export interface Filter {
  /** No record below it is printed. */
  readonly leastLevel: number;
  /** Whether the batch's own levels are those that count. */
  readonly canSkipByLevel: boolean;
  accepts(line: Line): boolean;
}

export function createFilter(settings: PrinterSettings): Filter {
  const leastLevel = settings.minimumLevel ?? -Infinity;
  return {
    leastLevel,
    canSkipByLevel: settings.levelKey === 'level' && settings.levelsByName.size === 0,
    accepts: (line) => !line.isRecord || line.level >= leastLevel,
  };
}
