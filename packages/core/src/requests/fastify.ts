import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ActiveSpan } from '../context/active-span.ts';
import { contextOf } from '../context/context-of.ts';
import type { TreelineLogger } from '../logger.ts';
import type { RequestOptions } from './request-tracker.ts';

/** As much of Fastify (5 and 4) as is used; its types would be a dependency. */
interface FastifyRequest {
  readonly id: string;
  readonly raw: IncomingMessage;
  readonly routeOptions?: { readonly url?: string | undefined };
}

interface FastifyReply {
  readonly raw: ServerResponse;
}

type Done = (error?: Error) => void;

interface FastifyInstance {
  addHook(
    name: 'onRequest' | 'preValidation',
    hook: (request: FastifyRequest, reply: FastifyReply, done: Done) => void,
  ): unknown;
  addHook(
    name: 'onError',
    hook: (request: FastifyRequest, reply: FastifyReply, error: Error, done: () => void) => void,
  ): unknown;
}

/** A plugin for `app.register`; it holds for the whole application. */
export type FastifyRequestPlugin = (instance: FastifyInstance, options: unknown, done: Done) => void;

/** Tracks requests of a Fastify application, where the config switches `requestTracking` on. */
export function fastifyRequests(logger: TreelineLogger, options: RequestOptions = {}): FastifyRequestPlugin {
  const { requests } = contextOf(logger);
  const plugin: FastifyRequestPlugin = (instance, _options, done) => {
    if (requests) {
      requests.tracksFastify = true;
      const spanOf = (request: FastifyRequest, reply: FastifyReply): ActiveSpan =>
        requests.begin(
          logger,
          request.raw,
          reply.raw,
          { requestId: () => request.id, ...options },
          request.routeOptions?.url,
        );
      instance.addHook('onRequest', (request, reply, next) => spanOf(request, reply).run(next));
      // The body came by the socket's events, which know nothing of the request's span.
      instance.addHook('preValidation', (request, reply, next) => spanOf(request, reply).run(next));
      instance.addHook('onError', (request, reply, error, next) => {
        if (!isClientError(error)) spanOf(request, reply).fail(error);
        next();
      });
    }
    done();
  };
  // Fastify's word for hooks that are not only for the plugin itself.
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true });
}

function isClientError(error: Error & { statusCode?: unknown }): boolean {
  return typeof error.statusCode === 'number' && error.statusCode < 500;
}
