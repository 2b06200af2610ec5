import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import {
  fastify,
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { startAnswer, type StartedAnswer } from './answer.ts';
import { BackendError, type ChatMessage } from './backend-client.ts';
import { OpenRequests } from './open-requests.ts';
import { findRoute, type RoutesConfig } from './routes.ts';
import { formatEvent } from './sse.ts';

export interface GatewayOptions {
  /** A pino logger, Treeline's or another. */
  readonly logger: FastifyBaseLogger;
  readonly backendUrl: string;
  readonly config: RoutesConfig;
}

interface Chat {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
}

const MAX_BODY_BYTES = 256 * 1024;

/** More than enough for what is left to do once every connection is closed. */
const LAST_LINES_MS = 1_000;

/** What nginx writes for it; no standard has a number. */
const CLIENT_LEFT = 499;

const CHAT_SCHEMA = {
  body: {
    type: 'object',
    required: ['model', 'messages'],
    additionalProperties: false,
    properties: {
      model: { type: 'string', minLength: 1, maxLength: 64 },
      messages: {
        type: 'array',
        minItems: 1,
        maxItems: 100,
        items: {
          type: 'object',
          required: ['role', 'content'],
          additionalProperties: false,
          properties: {
            role: { enum: ['system', 'user', 'assistant'] },
            content: { type: 'string', maxLength: 32_768 },
          },
        },
      },
    },
  },
} as const;

/** An HTTP service that routes chat requests to a model backend and streams the answers back as server-sent events. */
export interface Gateway {
  readonly app: FastifyInstance;
  /** Takes no more requests, gives those under way `graceMs` to end, and closes every connection. */
  readonly close: (graceMs: number) => Promise<void>;
}

export function createGateway(options: GatewayOptions): Gateway {
  const openRequests = new OpenRequests();
  const app = createApp(options, openRequests);
  const close = async (graceMs: number): Promise<void> => {
    const closed = app.close();
    await openRequests.idle(graceMs);
    // A connection that was opened and never used is not idle in node's eyes, and would be waited for.
    app.server.closeAllConnections();
    // An answer that has lost its client still has a line to log.
    await openRequests.idle(LAST_LINES_MS);
    await closed;
  };
  return { app, close };
}

function createApp(
  { logger, backendUrl, config }: GatewayOptions,
  openRequests: OpenRequests,
): FastifyInstance {
  const app = fastify({
    loggerInstance: logger,
    // Requests are logged below; the id stands under the key that Treeline knows.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'req_id' }),
    genReqId: readRequestId,
    bodyLimit: MAX_BODY_BYTES,
    // A body with keys that we don't know is a mistake of the client: fastify would take them out and say nothing.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    const end = openRequests.begin();
    // Not onResponse: fastify calls that for responses that were sent to their end only.
    reply.raw.once('close', () => {
      logRequest(request, reply);
      end();
    });
  });
  app.setErrorHandler(async (error: Error & { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) request.log.error({ err: error, status }, error.message);
    else if (status === CLIENT_LEFT) request.log.info({ status }, error.message);
    else request.log.warn({ req: request, status, reason: error.message }, 'the request was refused');
    const message = status === 500 ? 'internal error' : error.message;
    return reply.code(status).send({ error: { message }, requestId: request.id });
  });
  app.get('/healthz', async () => ({ ok: true }));
  app.post<{ Body: Chat }>('/v1/chat', { schema: CHAT_SCHEMA }, async (request, reply) => {
    const { model: route, messages } = request.body;
    const log = request.log.child({ name: 'chat', type: 'chat', route });
    const models = findRoute(config, route);
    if (!models) {
      throw httpError(
        404,
        `there is no route ${JSON.stringify(route)}; known are ${Object.keys(config.routes).join(', ')}`,
      );
    }
    log.info({ req: request, models }, `asks for ${route}`);
    const left = abortWhenClosed(reply);
    const answer = await startAnswer(
      route,
      models,
      { backendUrl, messages, idleTimeoutMs: config.idleTimeoutMs, signal: left },
      log,
    );
    reply.header('content-type', 'text/event-stream').header('cache-control', 'no-store');
    return reply.send(Readable.from(relay(answer, log, openRequests.begin())));
  });
  return app;
}

function httpError(statusCode: number, message: string): Error {
  return Object.assign(new Error(message), { statusCode });
}

/** The end of a request, in the field names of pino-http, which everything that reads pino's lines knows. */
function logRequest(request: FastifyRequest, reply: FastifyReply): void {
  const statusCode = reply.raw.writableFinished ? reply.statusCode : CLIENT_LEFT;
  const fields = {
    type: 'request',
    req: request,
    res: { statusCode },
    responseTime: Math.round(reply.elapsedTime),
  };
  request.log.info(fields, `${request.method} ${request.url} ${statusCode}`);
}

/** The id of a caller is kept where it is one; anything else in that header stays out of the log. */
function readRequestId(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[\w.-]{1,64}$/u.test(given) ? given : randomUUID();
}

function abortWhenClosed(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    controller.abort(httpError(CLIENT_LEFT, 'the client left before the answer was complete'));
  });
  return controller.signal;
}

/** The answer in the gateway's own events; its end, however it came, is one log line. */
async function* relay(
  answer: StartedAnswer,
  log: FastifyBaseLogger,
  ended: () => void,
): AsyncGenerator<string, void, undefined> {
  const startedAt = performance.now();
  let tokens = 0;
  let end: 'complete' | 'client left' | BackendError = 'client left';
  try {
    for await (const text of answer.tokens) {
      tokens += 1;
      yield formatEvent({ event: 'token', data: JSON.stringify({ text }) });
    }
    end = 'complete';
    yield formatEvent({ event: 'done', data: JSON.stringify({ model: answer.model, tokens }) });
  } catch (error) {
    if (!(error instanceof BackendError)) return;
    end = error;
    yield formatEvent({ event: 'error', data: JSON.stringify({ message: 'the answer broke off' }) });
  } finally {
    // A client that leaves ends the generator where it stands: only here are all ways out seen.
    const { model, firstTokenMs } = answer;
    const durationMs = firstTokenMs + Math.round(performance.now() - startedAt);
    const fields = { model, tokens, first_token_ms: firstTokenMs, duration_ms: durationMs };
    if (end === 'complete') log.info(fields, `answered by ${model}`);
    else if (end === 'client left') log.info(fields, `the client left after ${tokens} tokens`);
    else log.error({ err: end, ...fields }, `the answer broke off after ${tokens} tokens`);
    ended();
  }
}
