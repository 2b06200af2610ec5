import { setUp } from './setup.mjs';

await setUp();
await import('../apps/gateway/dist/demo-process.js');
