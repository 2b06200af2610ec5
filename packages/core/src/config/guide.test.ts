import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { checkConfig } from './check.ts';
import { testConfig } from './test-config.ts';

const GUIDE = fileURLToPath(new URL('../../../../docs/guide/config.md', import.meta.url));
const EXAMPLES = fileURLToPath(new URL('../../../../docs/guide/examples/config/', import.meta.url));
const FILES = fs.readdirSync(EXAMPLES);

const TRANSPORTS = [{ type: 'pino-loki', module: new URL(import.meta.url) }];

test.each(FILES)('the example %s of the guide has no mistake in any environment', (file) => {
  for (const NODE_ENV of ['development', 'test', 'production']) {
    const { problems } = checkConfig(file, {
      cwd: EXAMPLES,
      env: { NODE_ENV, REGION: 'eu' },
      transports: TRANSPORTS,
    });
    // The founding example has no retention, and says so in the guide by being old.
    expect(
      problems.filter(({ code }) => code !== 'CFG701' && !(code === 'CFG605' && file === 'founding.json')),
    ).toEqual([]);
  }
});

test('the tests of the example pass', () => {
  const results = testConfig('tests.json', { cwd: EXAMPLES, env: {} });
  expect(results.filter(({ passed }) => passed)).toHaveLength(2);
});

test('the guide shows each example as it is', async () => {
  const before = fs.readFileSync(GUIDE, 'utf8');
  const shown = new Set<string>();
  const page = before.replace(/<!-- ([\w.-]+) -->\n```jsonc\n[^]*?```/g, (_, file: string) => {
    shown.add(file);
    return `<!-- ${file} -->\n\`\`\`jsonc\n${fs.readFileSync(EXAMPLES + file, 'utf8')}\`\`\``;
  });
  expect([...shown].toSorted()).toEqual(FILES.toSorted());
  await expect(page).toMatchFileSnapshot(GUIDE);
});
