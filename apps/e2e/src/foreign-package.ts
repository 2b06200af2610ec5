import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(import.meta.url);

/** Makes packages of this workspace resolvable by name from a folder, as `npm install` would. */
export function installPackages(folder: string, names: readonly string[]): void {
  for (const name of names) {
    const link = path.join(folder, 'node_modules', name);
    fs.mkdirSync(path.dirname(link), { recursive: true });
    if (!fs.existsSync(link)) fs.symlinkSync(packageFolder(name), link);
  }
}

/** Not every package exports its manifest. */
function packageFolder(name: string): string {
  const folders = require.resolve.paths(name) ?? [];
  const found = folders.map((folder) => path.join(folder, name)).find((folder) => fs.existsSync(folder));
  if (found === undefined) throw new Error(`${name} is no dependency of @treeline/e2e`);
  return found;
}
