import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { TreelineError } from '@treeline/contract';
import { openLogReader, type LogQuery } from '@treeline/sqlite';

/** How long a step of the demo may take on a busy machine. */
const STEP_TIMEOUT_MS = 30_000;

/**
 * Shows the daemon at work on real files in a folder, which is made anew: orders come in, one fails, an alarm remembers it, config and
 * senses change while it runs. Resolves to the exit code.
 */
export async function runDemo(folder: string): Promise<number> {
  fs.rmSync(folder, { recursive: true, force: true });
  fs.cpSync(fileURLToPath(new URL('../demo', import.meta.url)), folder, { recursive: true });
  const at = (name: string): string => path.join(folder, name);
  const store = at('data/logs.db');
  tell(`a daemon on the files of ${folder}; this is its log:\n`);
  const daemon = spawn(
    process.execPath,
    [fileURLToPath(new URL('daemon-process.js', import.meta.url)), folder],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  try {
    await logged(daemon, store, { source: 'system', type: 'start' });
    await sleep(500);
    step('an order is put into inbox.txt');
    fs.writeFileSync(at('inbox.txt'), 'order-1\n');
    await logged(daemon, store, { type: 'fulfilled' });
    step('one that fails; a sense that looks back at the log remembers it, and the alarm goes off');
    fs.appendFileSync(at('inbox.txt'), 'impossible\n');
    await logged(daemon, store, { type: 'alarm' });
    step('a broken daemon.json is refused, a sound one taken over');
    const config = fs.readFileSync(at('daemon.json'), 'utf8');
    fs.writeFileSync(at('daemon.json'), '{ broken');
    await logged(daemon, store, { source: 'system', type: 'error' });
    fs.writeFileSync(at('daemon.json'), config.replace('500ms', '250ms'));
    await logged(daemon, store, { source: 'system', type: 'config_reload' });
    step('the sense of the inbox is changed: it now leaves impossible orders out');
    const sense = fs.readFileSync(at('senses/inbox.mjs'), 'utf8');
    fs.writeFileSync(
      at('senses/inbox.mjs'),
      sense.replace("line !== ''", "line !== '' && line !== 'impossible'"),
    );
    await logged(daemon, store, { source: 'system', type: 'sense_reload' });
    await sleep(500);
  } finally {
    daemon.kill('SIGTERM');
    if (daemon.exitCode === null && daemon.signalCode === null) await once(daemon, 'close');
  }
  tell(`\nread back from ${store}:\n${readBack(store)}`);
  tell(
    `next\n  npx treeline query 'source:system,reflex' ${store}\n  npx treeline ref <ref_id of a run> ${store}`,
  );
  return 0;
}

/** @throws Error where nothing like it is logged in time, or the daemon has ended. */
async function logged(daemon: ChildProcess, store: string, query: LogQuery): Promise<void> {
  const untilMs = performance.now() + STEP_TIMEOUT_MS;
  while (count(store, query) === 0) {
    if (daemon.exitCode !== null) throw new Error(`the daemon ended with ${daemon.exitCode}`);
    if (performance.now() > untilMs) throw new Error(`nothing was logged for ${JSON.stringify(query)}`);
    await sleep(50);
  }
}

function count(store: string, query: LogQuery): number {
  try {
    const reader = openLogReader(store);
    const found = reader.count(query);
    reader.close();
    return found;
  } catch (error) {
    // The daemon is about to make it.
    if (error instanceof TreelineError && error.code === 'STORE_MISSING') return 0;
    throw error;
  }
}

function readBack(store: string): string {
  const reader = openLogReader(store);
  const table = reader.table({ query: 'source:system,reflex | count by source, type' });
  reader.close();
  return table.map((row) => `  ${Object.values(row).join('  ')}\n`).join('');
}

function step(text: string): void {
  tell(`\n-- ${text}`);
}

function tell(text: string): void {
  process.stdout.write(`${text}\n`);
}
