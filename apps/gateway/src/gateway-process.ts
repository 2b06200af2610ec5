import { parseArgs } from 'node:util';
import { createLogger } from '@treeline/core';
import { configPath, orExit, readConfig } from './config-file.ts';
import { createGateway } from './gateway.ts';
import { routesConfig } from './routes.ts';
import { announce, endWith, urlOf } from './service.ts';

const { values } = parseArgs({
  options: {
    backend: { type: 'string', default: 'http://127.0.0.1:8090' },
    port: { type: 'string', default: '0' },
    logging: { type: 'string', default: configPath('logging-config.json') },
    routes: { type: 'string', default: configPath('routes.json') },
  },
});

const GRACE_MS = 3_000;

const config = orExit(() => readConfig(values.routes, routesConfig));
const logger = orExit(() => createLogger(values.logging));
const { app, close } = createGateway({ logger, backendUrl: values.backend, config });
await app.listen({ port: Number(values.port), host: '127.0.0.1' });
logger.info(
  { url: urlOf(app.server), backend: values.backend, routes: Object.keys(config.routes) },
  'gateway started',
);
endWith(async () => {
  await close(GRACE_MS);
  logger.info('gateway stopped');
  await logger.close();
});
announce(app.server);
