import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { createCollector } from './collector.ts';
import { announce, endWith } from './service.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    file: { type: 'string', default: 'logs/collected.log' },
  },
});

const server = createCollector(values.file);
server.listen(Number(values.port), '127.0.0.1');
await once(server, 'listening');
endWith(async () => {
  server.close();
  server.closeAllConnections();
});
announce(server);
