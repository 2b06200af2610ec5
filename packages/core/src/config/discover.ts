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

export interface FoundConfig {
  /** Absolute. */
  readonly file: string;
  /** The key of the file that holds the config; the file as a whole where it is absent. */
  readonly key?: string;
}

/** The configs that the application's root holds; more than one is for the caller to refuse. */
export function discoverConfigs(cwd: string, from = mainFolder(cwd)): FoundConfig[] {
  const root = applicationRoot(from) ?? cwd;
  const files = CANDIDATES.map((candidate) => path.join(root, candidate)).filter((file) =>
    fs.existsSync(file),
  );
  const manifest = path.join(root, 'package.json');
  return [
    ...files.map((file) => ({ file })),
    ...(holdsConfig(manifest) ? [{ file: manifest, key: 'logging' }] : []),
  ];
}

/** A package.json that can't be read is not ours to report. */
function holdsConfig(manifest: string): boolean {
  try {
    const { logging } = JSON.parse(fs.readFileSync(manifest, 'utf8')) as { logging?: unknown };
    return typeof logging === 'object' && logging !== null;
  } catch {
    return false;
  }
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
