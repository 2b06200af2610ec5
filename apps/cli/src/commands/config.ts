import fs from 'node:fs';
import {
  CONFIG_TEMPLATE,
  diffConfigs,
  explainConfig,
  formatReloadPlan,
  printConfig,
  readConfigSchema,
  testConfig,
  type ConfigTestResult,
} from '@treeline/core/config';
import { loadContext, type ConfigFlags } from '../config-source.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { printable, tell, writeOut } from '../terminal.ts';

/** Prints the config that holds, all layers in one; secrets are masked. */
export function print(file: string | undefined, flags: ConfigFlags & { readonly origin?: true }): number {
  writeOut(`${printConfig(file, loadContext(flags), { origin: flags.origin ?? false })}\n`);
  return EXIT.ok;
}

/** Tells what a value is, where it comes from, and what a change of it does. */
export function explain(path: string, file: string | undefined, flags: ConfigFlags): number {
  try {
    writeOut(`${explainConfig(path, file, loadContext(flags))}\n`);
    return EXIT.ok;
  } catch (error) {
    throw error instanceof RangeError ? new CommandFailure(EXIT.usage, error.message) : error;
  }
}

/** Prints what a reload from one config to the other would do to each stream. */
export function diff(from: string, to: string, flags: ConfigFlags): number {
  writeOut(`${formatReloadPlan(diffConfigs(from, to, loadContext(flags)))}\n`);
  return EXIT.ok;
}

/** Prints the JSON Schema of a config, for editors. */
export function schema(): number {
  writeOut(readConfigSchema());
  return EXIT.ok;
}

/** Runs the tests of a config; gives 1 where one fails. */
export function test(file: string | undefined, flags: ConfigFlags): number {
  const results = testConfig(file, loadContext(flags));
  if (results.length === 0) tell('the config holds no "tests"');
  writeOut(results.map(formatResult).join(''));
  return results.every(({ passed }) => passed) ? EXIT.ok : EXIT.failed;
}

function formatResult({ name, passed, failures }: ConfigTestResult): string {
  const lines = [
    `${passed ? 'passed' : 'FAILED'}  ${name}`,
    ...failures.map((failure) => `        ${failure}`),
  ];
  return lines.map((line) => `${printable(line)}\n`).join('');
}

/** Writes a config to begin with. */
export function init(file: string): number {
  try {
    fs.writeFileSync(file, CONFIG_TEMPLATE, { flag: 'wx' });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST')
      throw new CommandFailure(EXIT.failed, `${file} is there already; name another file`);
    throw new CommandFailure(EXIT.failed, `${file} can't be written (${String(code)}); name another file`);
  }
  writeOut(`${printable(file)} written; try: treeline check ${printable(file)}\n`);
  return EXIT.ok;
}
