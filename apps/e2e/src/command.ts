import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { text } from 'node:stream/consumers';

/** The command as it is published: found by its package's name, through the `bin` of its manifest. */
export const TREELINE = commandFile();

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
}

/** Starts `treeline` with all its standard streams as pipes. */
export function startTreeline(
  args: readonly string[],
  { env, ...options }: CommandOptions,
): ChildProcess & Piped {
  const child = spawn(process.execPath, [TREELINE, ...args], {
    ...options,
    env: { ...process.env, NODE_ENV: undefined, NODE_OPTIONS: undefined, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // A command that refuses its arguments ends before it has read its input.
  child.stdin.on('error', () => undefined);
  return child;
}

interface Piped {
  readonly stdin: NodeJS.WritableStream & { destroy(): void };
  readonly stdout: NodeJS.ReadableStream & { destroy(): void };
  readonly stderr: NodeJS.ReadableStream;
}

/** Waits for the end of a command that was started. */
export async function finish(child: ChildProcess & Piped): Promise<Finished> {
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: child.exitCode, signal: child.signalCode, stdout, stderr };
}

/** Gathers a stream's text, for commands whose other streams are cut. */
export function collect(stream: NodeJS.ReadableStream): { readonly text: string } {
  const collected = { text: '' };
  stream.setEncoding('utf8').on('data', (chunk: string) => (collected.text += chunk));
  return collected;
}

/** Runs `treeline` to its end. */
export async function treeline(
  args: readonly string[],
  { input = '', ...options }: CommandOptions & { readonly input?: string | Buffer },
): Promise<Finished> {
  const child = startTreeline(args, options);
  child.stdin.end(input);
  return finish(child);
}

/** Writes a config into a folder and gives its name. */
export function writeConfig(cwd: string, config: object, name = 'config.json'): string {
  fs.writeFileSync(path.join(cwd, name), JSON.stringify(config));
  return name;
}

function commandFile(): string {
  const manifestFile = createRequire(import.meta.url).resolve('treeline/package.json');
  const manifest = JSON.parse(fs.readFileSync(manifestFile, 'utf8')) as { bin: { treeline: string } };
  return path.join(path.dirname(manifestFile), manifest.bin.treeline);
}
