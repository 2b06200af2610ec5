import { createRequire } from 'node:module';
import { nodeAt, type ConfigNode, type Path } from './node.ts';
import type { ProblemList } from './problem-list.ts';

const require = createRequire(import.meta.url);

/** Where a stream holds texts in the query language. */
const FILTER_PATHS: readonly Path[] = [['filter'], ['sample', 'keep']];

/** Checks the filters of a stream; a mistake is shown inside the text. */
export function checkFilters(stream: ConfigNode, index: number, problems: ProblemList): void {
  for (const path of FILTER_PATHS) {
    const node = nodeAt(stream, path);
    if (node?.kind === 'scalar' && typeof node.value === 'string')
      checkFilter(node, ['streams', index, ...path], problems);
  }
}

function checkFilter(node: Extract<ConfigNode, { kind: 'scalar' }>, path: Path, problems: ProblemList): void {
  const text = String(node.value);
  // Most configs have no filter, and the parser takes some 7 ms to load.
  const { parseFilter, QueryError } = require('@treeline/query') as typeof import('@treeline/query');
  try {
    parseFilter(text);
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    // What `${…}` put in shifts everything behind it.
    const origin = node.interpolated ? node.origin : problems.inside(node.origin, error.start, error.end);
    const place = origin === node.origin ? ` at column ${error.column} of ${JSON.stringify(text)}` : '';
    problems.add(origin, path, {
      code: 'CFG501',
      message: `broken filter: ${error.reason}${place}`,
      suggestion: error.suggestion,
    });
  }
}
