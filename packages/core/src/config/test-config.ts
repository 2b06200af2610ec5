import { createBatch, LEVEL_NAMES, parseLevel, readLevel, readTimeMs } from '@treeline/contract';
import { requireBuilt } from '../built-file.ts';
import type { PipelineConfig, StreamConfig } from './config.ts';
import { evaluateConfig, loadConfig, type LoadContext } from './load.ts';
import { nodeAt, toValue } from './node.ts';
import { ConfigError, sortProblems } from './problem.ts';

export interface ConfigTestResult {
  readonly name: string;
  readonly passed: boolean;
  /** What was expected and did not come. */
  readonly failures: readonly string[];
}

/** An element of `tests`, as the schema has checked it. */
interface ConfigTest {
  readonly name: string;
  readonly env?: Record<string, string>;
  readonly given: readonly Record<string, unknown>[];
  readonly expect: Record<string, { readonly count: number }>;
}

/**
 * Runs the `tests` of a config: sends their records through the levels, filters and stages of its streams, and counts what would arrive.
 * Each test sees only its own variables, on top of those of the context.
 *
 * @throws ConfigError for a config with mistakes.
 */
export function testConfig(source?: string | object, context: LoadContext = {}): ConfigTestResult[] {
  const { env = process.env } = context;
  const { node, problems } = evaluateConfig(source, { ...context, env });
  const tests = node && nodeAt(node, ['tests']);
  if (problems.hasErrors) throw new ConfigError(sortProblems(problems.all));
  if (!tests) return [];
  return (toValue(tests) as ConfigTest[]).map((given) =>
    runTest(given, source, { ...context, env: { ...env, ...given.env } }),
  );
}

function runTest(
  test: ConfigTest,
  source: string | object | undefined,
  context: LoadContext,
): ConfigTestResult {
  const { config } = loadConfig(source, context);
  const failures = test.given.flatMap(({ level }, index) =>
    level === undefined || readLevel(level) !== undefined
      ? []
      : [
          `given[${index}] has the unknown level ${JSON.stringify(level)}; allowed: ${LEVEL_NAMES.join(', ')}`,
        ],
  );
  if (failures.length > 0) return { name: test.name, passed: false, failures };
  for (const [name, { count }] of Object.entries(test.expect)) {
    const stream = config.streams.find((candidate) => candidate.name === name);
    if (!stream) failures.push(`there is no stream "${name}"`);
    else {
      const arrived = countArrivals(stream, config, test.given);
      if (arrived !== count)
        failures.push(`${name} receives ${arrived} of ${test.given.length} records, not ${count}`);
    }
  }
  return { name: test.name, passed: failures.length === 0, failures };
}

/** Sends records the way that the pipeline does. */
function countArrivals(
  stream: StreamConfig,
  config: PipelineConfig,
  given: readonly Record<string, unknown>[],
): number {
  const { LineGate, compileLineRule, compileStages } = requireBuilt(
    'stages/loader.js',
  ) as typeof import('../stages/loader.ts');
  const lines = given.map((record) => `${JSON.stringify(toRecord(record))}\n`).join('');
  const batch = createBatch(Buffer.from(lines), { logId: 'test', seq: 1 });
  const accepted = new LineGate(
    compileLineRule(stream, { ...config, rootLevel: parseLevel(config.level) }),
  ).select(batch);
  return compileStages(stream, config).process(accepted).batch.count;
}

/** Names of levels are for people, who write the tests; level and time stand first, as in a line. */
function toRecord({ level, time, ...rest }: Record<string, unknown>): Record<string, unknown> {
  return {
    level: readLevel(level) ?? parseLevel('info'),
    ...(time !== undefined && { time: readTimeMs(time) ?? time }),
    ...rest,
  };
}
