import { appendFile, mkdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import path from 'node:path';
import { formatLevel, parseLine, readLevel } from '@treeline/contract';

const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** What a collector has taken since it began. */
export interface Collected {
  readonly records: number;
  /** By the level's name. */
  readonly levels: Readonly<Record<string, number>>;
}

/**
 * A log collector to ship to: appends the lines of each request to a file and answers once they are there. `GET` tells what it has
 * taken.
 */
export function createCollector(file: string): Server {
  const levels = new Map<string, number>();
  return createServer((request, response) => {
    void answer(request, response, file, levels).catch(() => {
      if (response.headersSent) response.destroy();
      // The sender keeps what it could not deliver, and comes again.
      else response.writeHead(503).end();
    });
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  file: string,
  levels: Map<string, number>,
): Promise<void> {
  if (request.method === 'GET') {
    const records = [...levels.values()].reduce((sum, each) => sum + each, 0);
    const collected: Collected = { records, levels: Object.fromEntries(levels) };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(collected));
    return;
  }
  const body = await readBody(request);
  if (body === undefined) return void response.writeHead(413).end();
  await mkdir(path.dirname(file), { recursive: true });
  await appendFile(file, body);
  for (const line of body.toString().split('\n')) {
    if (line === '') continue;
    const level = readLevel(parseLine(line).level);
    const name = level === undefined ? 'unknown' : formatLevel(level);
    levels.set(name, (levels.get(name) ?? 0) + 1);
  }
  response.writeHead(204).end();
}

/** Undefined where it is larger than one should be. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
