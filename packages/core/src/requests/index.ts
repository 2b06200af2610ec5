export { fastifyRequests, type FastifyRequestPlugin } from './fastify.ts';
export { trackRequests, type RequestMiddleware } from './middleware.ts';
export type { ActiveRequestInfo, RequestOptions, RequestStats } from './request-tracker.ts';
