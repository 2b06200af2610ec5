import fs from 'node:fs';

/** The JSON Schema of a config, as text, for editors. The file is generated from the schemas that check a config. */
export function readConfigSchema(): string {
  return fs.readFileSync(new URL('../../schema/config.schema.json', import.meta.url), 'utf8');
}
