/** Where `@opentelemetry/api` 1.x, whichever copy, keeps what an SDK registers. */
const GLOBAL_KEY = Symbol.for('opentelemetry.js.api.1');

function registered(): { readonly trace?: unknown; readonly context?: unknown } | undefined {
  return (globalThis as { [GLOBAL_KEY]?: { trace?: unknown; context?: unknown } })[GLOBAL_KEY];
}

/** Whether OpenTelemetry has a provider of tracers. */
export function hasTracerProvider(): boolean {
  return registered()?.trace !== undefined;
}

/** Whether OpenTelemetry keeps an async context: a provider of tracers may have been registered without. */
export function hasContextManager(): boolean {
  return registered()?.context !== undefined;
}
