// A Fastify server whose requests are tracked or not; on `/usage` it collects its garbage and tells its processor time, heap and lines.
import { createLogger } from '@treeline/core';
import { fastifyRequests } from '@treeline/core/requests';
import { fastify } from 'fastify';
import { symbols } from 'pino';

const tracked = process.argv[2] === 'tracked';
const logger = createLogger({ level: 'info', enhancedFeatures: { requestTracking: { enabled: tracked } } });
let lines = 0;
// Thrown away: what the pipeline takes is measured elsewhere.
Object.assign(logger, { [symbols.streamSym]: { write: () => void lines++ } });

const app = fastify({ logger: false });
await app.register(fastifyRequests(logger));
app.get('/users/:id', async () => ({ ok: true }));
app.get('/usage', async () => {
  const { user, system } = process.cpuUsage();
  globalThis.gc();
  return { cpuUs: user + system, heapBytes: process.memoryUsage().heapUsed, lines };
});
await app.listen({ port: 0, host: '127.0.0.1' });
process.send(app.server.address().port);
process.on('disconnect', () => process.exit());
