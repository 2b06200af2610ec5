import type { Transport } from '@treeline/contract';

/**
 * Imports a transport's module.
 *
 * @throws TypeError where its default export was not made by `defineTransport`.
 */
export async function loadTransport(moduleUrl: string): Promise<Transport<unknown>> {
  const module = (await import(moduleUrl)) as { default?: Partial<Transport<unknown>> };
  if (typeof module.default?.definition?.open !== 'function') {
    throw new TypeError(`the default export of ${moduleUrl} must be made by defineTransport()`);
  }
  return module.default as Transport<unknown>;
}
