import { createHash } from 'node:crypto';
import type { StreamConfig } from './config/config.ts';

/**
 * Names a stream across restarts: by its name and its destination, without secrets. What a dead process left for a stream goes to the
 * one with the same key, and to no other.
 */
export function streamKey(config: StreamConfig): string {
  return `${config.name}@${destinationKey(config)}`;
}

/** Names a destination, without secrets: two streams with the same one write to the same place. */
export function destinationKey({ type, options }: StreamConfig): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([type, destinationOf(options)]))
    .digest('hex');
  return hash.slice(0, 16);
}

function destinationOf(options: unknown): unknown {
  if (typeof options !== 'object' || options === null) return null;
  if ('path' in options) return options.path;
  if ('url' in options) return withoutSecrets(String(options.url));
  if ('target' in options) return options.target;
  return null;
}

/** User, password and query may hold a token, which is changed without the destination being another one. */
function withoutSecrets(url: string): string {
  try {
    const { protocol, host, pathname } = new URL(url);
    return `${protocol}//${host}${pathname}`;
  } catch {
    return '';
  }
}
