import { createRequire } from 'node:module';
import path from 'node:path';
import { BRIDGE_FILE } from './script-realm.ts';

const MAX_FRAMES = 50;

const { cache } = createRequire(import.meta.url);

/**
 * The frames of the script that has called the bridge, each on a line of its own: from the bridge outwards to the first one that is
 * not the script's, as the host that runs it is.
 */
export function captureScriptStack(): string {
  const before = Error.stackTraceLimit;
  const holder: { stack?: unknown } = {};
  Error.stackTraceLimit = MAX_FRAMES;
  Error.captureStackTrace(holder);
  Error.stackTraceLimit = before;
  const frames = String(holder.stack)
    .split('\n')
    .filter((line) => /^\s+at /.test(line));
  const own = frames.findLastIndex((frame) => frame.includes(BRIDGE_FILE));
  const rest = frames.slice(own + 1);
  const end = rest.findIndex((frame) => !isScriptFrame(frame));
  return (end < 0 ? rest : rest.slice(0, end)).map((frame) => `\n${frame}`).join('');
}

function isScriptFrame(frame: string): boolean {
  const file = /(?:\(|at (?:async )?)([^()]*?):\d+:\d+\)?$/.exec(frame)?.[1];
  // Natives, as Array.map, stand between the frames of a script.
  if (file === undefined) return /<anonymous>|native/.test(frame);
  if (file.startsWith('node:') || file.startsWith('file:')) return false;
  return !path.isAbsolute(file) || !Object.hasOwn(cache, file);
}
