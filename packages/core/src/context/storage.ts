import { AsyncLocalStorage } from 'node:async_hooks';
import type { Frame } from './frame.ts';
import { currentOtelFrame, openTelemetry, runInOtel } from './open-telemetry.ts';
import { hasContextManager } from './otel-global.ts';

/** The only one: each further one makes every `await` slower. Made when a span first runs without OpenTelemetry's context. */
let storage: AsyncLocalStorage<Frame> | undefined;

/** The frame of the span that the calling code runs in. */
export function currentFrame(): Frame | undefined {
  return isOtelContext() ? currentOtelFrame() : storage?.getStore();
}

/** Runs a function inside a frame, and what it starts with it; the caller's own context stays as it is. */
export function runInFrame<Args extends readonly unknown[], Result>(
  frame: Frame,
  fn: (...args: Args) => Result,
  ...args: Args
): Result {
  if (isOtelContext()) return runInOtel(frame, () => fn(...args));
  storage ??= new AsyncLocalStorage();
  return storage.run(frame, fn, ...args);
}

/** Whether frames go with OpenTelemetry's context: not where its SDK has been registered without one. */
function isOtelContext(): boolean {
  return openTelemetry() !== undefined && hasContextManager();
}
