#!/usr/bin/env node
import { existsSync } from 'node:fs';

const main = new URL('../dist/main.js', import.meta.url);

if (existsSync(main)) {
  await import(main.href);
} else {
  process.stderr.write(
    'treeline: the command has not been built: run `npm start` once, or `npx turbo run build`, in the folder of the workspace\n',
  );
  process.exitCode = 1;
}
