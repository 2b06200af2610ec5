import fs from 'node:fs';
import path from 'node:path';

/** Where a config is looked for below the application's root, when nobody named one. */
const CANDIDATES = [
  'logging.config.jsonc',
  'logging.config.json',
  'config/logging.jsonc',
  'config/logging.json',
  '.config/logging.jsonc',
  '.config/logging.json',
];

/** The configs that the application's root holds; more than one is for the caller to refuse. */
export function discoverConfigs(cwd: string, from = mainFolder(cwd)): string[] {
  const root = applicationRoot(from) ?? cwd;
  return CANDIDATES.map((candidate) => path.join(root, candidate)).filter((file) => fs.existsSync(file));
}

function mainFolder(cwd: string): string {
  const script = process.argv[1];
  return script ? path.dirname(path.resolve(cwd, script)) : cwd;
}

/** The nearest folder at or above with a package.json. */
function applicationRoot(folder: string): string | undefined {
  if (fs.existsSync(path.join(folder, 'package.json'))) return folder;
  const parent = path.dirname(folder);
  return parent === folder ? undefined : applicationRoot(parent);
}
