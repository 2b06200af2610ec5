import { isMainThread } from 'node:worker_threads';

/**
 * Loads undici, which on its way makes itself the dispatcher of the whole thread's requests where there is none yet. In a thread of ours
 * nobody else asks for one; in the program's own, Node's is put in place first: a logger must not decide how its program's `fetch` is sent.
 */
export async function loadUndici(): Promise<void> {
  // Reading any of the globals that belong to fetch makes Node load what stands behind it.
  if (isMainThread) Reflect.get(globalThis, 'Headers');
  await import('undici');
}
