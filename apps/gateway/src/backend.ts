import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import * as v from 'valibot';
import type { BackendModel, BackendModels } from './backend-models.ts';
import { formatEvent } from './sse.ts';

const MAX_REQUEST_BYTES = 1024 * 1024;

const WORDS = 'a log is a tree that grew one line at a time and remembers every season of it'.split(' ');

const completionRequest = v.object({ model: v.string(), messages: v.array(v.unknown()) });

/**
 * A model server to put a gateway in front of: it streams words over server-sent events as slowly as its models are told to, and
 * fails as they are told to.
 */
export function createBackend(models: BackendModels): Server {
  const requestsByModel = new Map<string, number>();
  return createServer((request, response) => {
    void answer(request, response, models, requestsByModel).catch((error: unknown) => {
      // The client has gone, or what it sent can't be read: there is nobody to tell, or nothing more to say than this.
      if (!response.headersSent)
        sendError(response, 400, error instanceof Error ? error.message : String(error));
      else response.destroy();
    });
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  models: BackendModels,
  requestsByModel: Map<string, number>,
): Promise<void> {
  if (request.method !== 'POST' || request.url !== '/v1/chat/completions') {
    return sendError(response, 404, `no such endpoint: ${request.method} ${request.url}`);
  }
  const { model: name } = v.parse(completionRequest, JSON.parse(await readText(request)));
  const model = Object.hasOwn(models, name) ? models[name] : undefined;
  if (!model) return sendError(response, 404, `no such model: ${name}`);
  const nth = (requestsByModel.get(name) ?? 0) + 1;
  requestsByModel.set(name, nth);
  const failure = model.failure && nth % model.failure.every === 0 ? model.failure : undefined;
  if (failure?.kind === 'silence') return;
  await delay(model.firstTokenDelayMs);
  if (failure?.kind === 'status') return sendError(response, failure.status, `model ${name} is overloaded`);
  await stream(response, model, failure?.afterTokens);
}

async function stream(
  response: ServerResponse,
  model: BackendModel,
  breakAfter: number | undefined,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  for (let index = 0; index < model.tokens; index += 1) {
    if (index === breakAfter) return void response.destroy();
    const content = `${WORDS[index % WORDS.length]} `;
    const hasRoom = response.write(
      formatEvent({ data: JSON.stringify({ choices: [{ delta: { content } }] }) }),
    );
    if (!hasRoom) await once(response, 'drain', { signal: gone.signal });
    await delay(model.tokenDelayMs, undefined, { signal: gone.signal });
  }
  response.end(formatEvent({ data: '[DONE]' }));
}

function sendError(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: { message } }));
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_REQUEST_BYTES)
      throw new RangeError(`a request must be at most ${MAX_REQUEST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
