import type { LoggerContext } from './logger-context.ts';

/** Where a logger keeps its context; children find it through their root. Bundlers and test runners load modules twice: it is shared. */
export const CONTEXT: unique symbol = Symbol.for('treeline.context');

/** @throws TypeError for a logger that createLogger has not made. */
export function contextOf(logger: object): LoggerContext {
  const context = (logger as { [CONTEXT]?: LoggerContext })[CONTEXT];
  if (!context) throw new TypeError('logger must be one that createLogger has made');
  return context;
}
