import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { endWhenOrphaned } from './orphan.mjs';
import { run } from './run.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { engines, packageManager } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

const STILL_INSTALLING_MS = 15_000;

/** npx would turn its wheel in the midst of pnpm's output; turbo would send and fetch what nobody asked for. */
const QUIET = {
  npm_config_progress: 'false',
  DO_NOT_TRACK: '1',
  TURBO_TELEMETRY_DISABLED: '1',
  TURBO_NO_UPDATE_NOTIFIER: '1',
};

/** Installs what the lockfile says and builds what has changed. Does next to nothing when nothing has. */
export async function setUp() {
  requireNode();
  endWhenOrphaned();
  process.chdir(root);
  tell(
    `set-up on Node ${process.versions.node}: 1 of 2, dependencies by ${packageManager}, from the lockfile`,
  );
  await install();
  tell('set-up: 2 of 2, building what has changed');
  const code = await pnpm(['exec', 'turbo', 'run', 'build', '--ui=stream', '--output-logs=errors-only']);
  if (code !== 0) fail('the build failed: see the messages above', code);
}

/** Runs pnpm at the version that package.json pins, whether or not one is installed. Resolves to its exit code. */
export function pnpm(args) {
  return run('npx', ['--yes', packageManager, ...args], { env: QUIET });
}

async function install() {
  const startedAt = performance.now();
  const timer = setInterval(() => {
    const seconds = Math.round((performance.now() - startedAt) / 1000);
    tell(`set-up: still installing after ${seconds} s${isCompilingSqlite() ? COMPILING : ''}`);
  }, STILL_INSTALLING_MS);
  const code = await pnpm(['install', '--frozen-lockfile']).finally(() => clearInterval(timer));
  if (code !== 0)
    fail(`the dependencies could not be installed${isCompilingSqlite() ? NO_COMPILER : ''}`, code);
}

const COMPILING =
  ': no prebuilt better-sqlite3 could be fetched, so it is being compiled, which takes one to three minutes, once';
const NO_COMPILER =
  ': better-sqlite3 had to be compiled; that needs python3, make and a C++ compiler (Debian: apt-get install python3 make g++)';

/** node-gyp has written its makefiles, and nothing has come of them yet. */
function isCompilingSqlite() {
  const store = path.join(root, 'node_modules', '.pnpm');
  const folder = existsSync(store) && readdirSync(store).find((name) => name.startsWith('better-sqlite3@'));
  if (!folder) return false;
  const build = path.join(store, folder, 'node_modules', 'better-sqlite3', 'build');
  return existsSync(build) && !existsSync(path.join(build, 'Release', 'better_sqlite3.node'));
}

function requireNode() {
  const wanted = engines.node.match(/\d+/gu).map(Number);
  const running = process.versions.node.split('.').map(Number);
  const isOlder = running[0] < wanted[0] || (running[0] === wanted[0] && running[1] < wanted[1]);
  if (isOlder) fail(`Treeline needs Node ${engines.node}; this is ${process.versions.node}`, 1);
}

function tell(text) {
  process.stdout.write(`treeline  ${text}\n`);
}

function fail(message, code) {
  process.stderr.write(`treeline  ${message}\n`);
  process.exit(code);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await setUp();
