import type { IncomingMessage, ServerResponse } from 'node:http';
import { contextOf } from '../context/context-of.ts';
import type { TreelineLogger } from '../logger.ts';
import type { RequestOptions } from './request-tracker.ts';

/** Middleware as Express and connect take it; `next` continues inside the request's span. */
export type RequestMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * Tracks requests of a `node:http` server, of Express and of connect, where the config switches `requestTracking` on; else the
 * middleware only passes on. With plain `node:http`: `createServer((req, res) => track(req, res, () => handle(req, res)))`.
 */
export function trackRequests(logger: TreelineLogger, options: RequestOptions = {}): RequestMiddleware {
  const { requests } = contextOf(logger);
  if (!requests) return (_request, _response, next) => next();
  return (request, response, next) => {
    requests.begin(logger, request, response, options).run(next);
  };
}
