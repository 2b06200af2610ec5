import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { Span, TreelineLogger } from '@treeline/core';
import { fastifyRequests } from '@treeline/core/requests';
import {
  fastify,
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
} from 'fastify';
import { startAnswer, type StartedAnswer } from './answer.ts';
import { BackendError, type ChatMessage } from './backend-client.ts';
import { OpenRequests } from './open-requests.ts';
import { findRoute, type RoutesConfig } from './routes.ts';
import { formatEvent } from './sse.ts';

export interface GatewayOptions {
  readonly logger: TreelineLogger;
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
  const loggerInstance: FastifyBaseLogger = logger;
  const app = fastify({
    loggerInstance,
    // Treeline tracks the requests; the id stands under the key that it knows.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'req_id' }),
    genReqId: readRequestId,
    bodyLimit: MAX_BODY_BYTES,
    // A body with keys that we don't know is a mistake of the client: fastify would take them out and say nothing.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false } },
  });
  void app.register(fastifyRequests(logger));
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    // Not onResponse: fastify calls that for responses that were sent to their end only.
    reply.raw.once('close', openRequests.begin());
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
    const log = logger.child({ name: 'chat', type: 'chat', req_id: request.id, route });
    const models = findRoute(config, route);
    if (!models) {
      throw httpError(
        404,
        `there is no route ${JSON.stringify(route)}; known are ${Object.keys(config.routes).join(', ')}`,
      );
    }
    log.info({ models }, `asks for ${route}`);
    const left = abortWhenClosed(reply);
    const ended = openRequests.begin();
    const answer = await startAnswer(
      route,
      models,
      { backendUrl, messages, idleTimeoutMs: config.idleTimeoutMs, signal: left },
      log,
      // Where it fails, the error handler has a line to log first.
    ).finally(() => setImmediate(ended));
    reply.header('content-type', 'text/event-stream').header('cache-control', 'no-store');
    const tokens = log.trackStream(answer.tokens, {
      name: 'answer',
      attributes: { model: answer.model },
      tokens: () => 1,
    });
    // The response's stream is read by the socket's events, which know nothing of the request's span.
    const within = log.currentSpan();
    return reply.send(Readable.from(relay({ ...answer, tokens, within }, log, openRequests.begin())));
  });
  return app;
}

function httpError(statusCode: number, message: string): Error {
  return Object.assign(new Error(message), { statusCode });
}

/** The id of a caller is kept where it is one; anything else in that header stays out of the log. */
function readRequestId(request: Pick<IncomingMessage, 'headers'>): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[\w.-]{1,64}$/u.test(given) ? given : randomUUID();
}

function abortWhenClosed(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    const reason = httpError(CLIENT_LEFT, 'the client left before the answer was complete');
    // By this name spans know that nothing has failed.
    controller.abort(Object.assign(reason, { name: 'AbortError' }));
  });
  return controller.signal;
}

interface RelayedAnswer extends StartedAnswer {
  /** The request's span; undefined where requests are not tracked. */
  readonly within: Span | undefined;
}

/** The answer in the gateway's own events; its end, however it came, is one log line. */
async function* relay(
  { model, tokens, within }: RelayedAnswer,
  log: TreelineLogger,
  ended: () => void,
): AsyncGenerator<string, void, undefined> {
  let count = 0;
  let end: 'complete' | 'client left' | BackendError = 'client left';
  const logEnd = (): void => {
    const fields = { model, tokens: count };
    if (end === 'complete') log.info(fields, `answered by ${model}`);
    else if (end === 'client left') log.info(fields, `the client left after ${count} tokens`);
    else log.error({ err: end, ...fields }, `the answer broke off after ${count} tokens`);
  };
  try {
    for await (const text of tokens) {
      count += 1;
      yield formatEvent({ event: 'token', data: JSON.stringify({ text }) });
    }
    end = 'complete';
    yield formatEvent({ event: 'done', data: JSON.stringify({ model, tokens: count }) });
  } catch (error) {
    if (!(error instanceof BackendError)) return;
    end = error;
    yield formatEvent({ event: 'error', data: JSON.stringify({ message: 'the answer broke off' }) });
  } finally {
    // A client that leaves ends the generator where it stands: only here are all ways out seen.
    if (within) within.run(logEnd);
    else logEnd();
    ended();
  }
}
