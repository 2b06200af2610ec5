import { parseLevel, readLevel, type LogRecord } from '@treeline/contract';
import { compileFilter, levelForName, parseFilter } from '@treeline/query';
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
 * Runs the `tests` of a config: sends their records through the levels and filters of its streams, and counts what would arrive.
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
  const failures: string[] = [];
  for (const [name, { count }] of Object.entries(test.expect)) {
    const stream = config.streams.find((candidate) => candidate.name === name);
    if (!stream) failures.push(`there is no stream "${name}"`);
    else {
      const passes = route(stream, config);
      const arrived = test.given.filter((record) => passes(toRecord(record))).length;
      if (arrived !== count)
        failures.push(`${name} receives ${arrived} of ${test.given.length} records, not ${count}`);
    }
  }
  return { name: test.name, passed: failures.length === 0, failures };
}

/** Names of levels are for people, who write the tests. */
function toRecord(given: Record<string, unknown>): LogRecord {
  return { ...given, level: readLevel(given['level']) ?? parseLevel('info') };
}

function route(stream: StreamConfig, config: PipelineConfig): (record: LogRecord) => boolean {
  const filter =
    stream.filter === undefined
      ? undefined
      : compileFilter(parseFilter(stream.filter), { nowMs: Date.now() });
  const root = parseLevel(config.level);
  return (record) => {
    const directive = levelForName(config.directives, record.name);
    if (directive !== undefined && record.level < directive) return false;
    const least = stream.level ?? directive ?? root;
    if (record.level < least || record.level > (stream.maxLevel ?? Infinity)) return false;
    return filter?.(record) ?? true;
  };
}
