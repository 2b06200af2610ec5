import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { createBackend } from './backend.ts';
import { backendConfig } from './backend-models.ts';
import { configPath, orExit, readConfig } from './config-file.ts';
import { announce, endWith } from './service.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    config: { type: 'string', default: configPath('backend.json') },
  },
});

const server = createBackend(orExit(() => readConfig(values.config, backendConfig)).models);
server.listen(Number(values.port), '127.0.0.1');
await once(server, 'listening');
endWith(async () => {
  server.close();
  server.closeAllConnections();
});
announce(server);
