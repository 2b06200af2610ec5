import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** As in opensearch/pom.xml. */
const VERSION = '2.19.1';

const SOURCES = fileURLToPath(new URL('../opensearch/', import.meta.url));
const COPY_DEPENDENCIES = 'org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies';
const START_MS = 180_000;

export interface RunningServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts one node, from Maven Central's packages, which are kept in the user's cache folder. `missing` says what isn't there. */
export async function startOpenSearch(): Promise<RunningServer | { readonly missing: string }> {
  for (const tool of ['java', 'mvn'])
    if (spawnSync(tool, ['-version']).error)
      return { missing: `${tool} is not installed (Debian: apt-get install maven default-jdk-headless)` };
  const libraries = path.join(cacheFolder(), `opensearch-${VERSION}`);
  if (!existsSync(libraries) && !fetchLibraries(libraries))
    return { missing: `its packages could not be fetched: see what mvn has said` };
  return start(libraries);
}

function cacheFolder(): string {
  return path.join(process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'treeline');
}

/** Into a folder of another name first: a download that is cut short must not be taken for a whole one. */
function fetchLibraries(libraries: string): boolean {
  mkdirSync(path.dirname(libraries), { recursive: true });
  const partial = mkdtempSync(`${libraries}.`);
  process.stdout.write(`treeline  fetching OpenSearch ${VERSION} (53 MB, once)\n`);
  const { status } = spawnSync(
    'mvn',
    [
      '-B',
      '-q',
      '-Dstyle.color=never',
      '-f',
      path.join(SOURCES, 'pom.xml'),
      COPY_DEPENDENCIES,
      `-DoutputDirectory=${partial}`,
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  if (status === 0) renameSync(partial, libraries);
  else rmSync(partial, { recursive: true });
  return status === 0;
}

async function start(libraries: string): Promise<RunningServer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'treeline-opensearch-'));
  const port = await freePort();
  const classPath = path.join(libraries, '*');
  const child = spawn(
    'java',
    ['-Xms512m', '-Xmx1g', '-cp', classPath, path.join(SOURCES, 'Receiver.java'), folder, String(port)],
    { stdio: ['pipe', 'ignore', 'pipe'] },
  );
  let told = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (told = (told + text).slice(-4_000)));
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
    rmSync(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  const deadlineMs = performance.now() + START_MS;
  while (!(await answers(url))) {
    if (child.exitCode !== null || performance.now() > deadlineMs) {
      await stop();
      throw new Error(`OpenSearch did not start: ${told}`);
    }
    await setTimeout(250);
  }
  return { url, stop };
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
