import { setUp } from './setup.mjs';

await setUp();
await import('../apps/daemon/dist/demo-process.js');
