import fs from 'node:fs';
import path from 'node:path';
import type { ConfigNode, Member, Path, ScalarNode } from './node.ts';
import type { ProblemList } from './problem-list.ts';
import { closest } from '@treeline/query/closest';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Secret files are small; a device or a log that was named by mistake must not be read whole. */
const MAX_SECRET_BYTES = 64 * 1024;

const REFERENCE = /\$\$|\$\{([^}]*)(\}?)/g;

const CONTENT =
  /^(?:(?<kind>env|file|credential):)?(?<name>[^:?-][^:?]*?)(?:(?<operator>:-|:\?|-|\?)(?<rest>.*))?$/s;

/**
 * Replaces `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?message}`, `${env:NAME}`, `${file:/path}` and
 * `${credential:NAME}` in every text of a config; `$$` stands for a dollar sign. Once: what comes in is not looked at again.
 */
export function interpolate(
  node: ConfigNode,
  env: Environment,
  problems: ProblemList,
  at: Path = [],
): ConfigNode {
  if (node.kind === 'array') {
    return {
      ...node,
      items: node.items.map((item, index) => interpolate(item, env, problems, [...at, index])),
    };
  }
  if (node.kind === 'object') {
    const members = new Map<string, Member>();
    for (const [key, member] of node.members) {
      members.set(key, { ...member, value: interpolate(member.value, env, problems, [...at, key]) });
    }
    return { ...node, members };
  }
  return typeof node.value === 'string' && node.value.includes('$')
    ? interpolateText(node, node.value, env, problems, at)
    : node;
}

function interpolateText(
  node: ScalarNode,
  text: string,
  env: Environment,
  problems: ProblemList,
  at: Path,
): ScalarNode {
  let interpolated = false;
  let secret = false;
  const value = text.replace(REFERENCE, (whole: string, content: string, closed: string, offset: number) => {
    if (whole === '$$') return '$';
    interpolated = true;
    const origin = problems.inside(node.origin, offset, offset + whole.length);
    if (closed === '') {
      problems.add(origin, at, {
        code: 'CFG311',
        message: '"${" is never closed',
        suggestion: 'close it with }, or write $$ for a dollar sign',
      });
      return '';
    }
    const result = resolve(content, env);
    if ('problem' in result) {
      problems.add(origin, at, result.problem);
      return '';
    }
    secret ||= result.secret;
    return result.value;
  });
  return { ...node, value, interpolated, secret };
}

type Resolved =
  | { readonly value: string; readonly secret: boolean }
  | { readonly problem: Parameters<ProblemList['add']>[2] };

function resolve(content: string, env: Environment): Resolved {
  const file = /^file:(.*)$/s.exec(content)?.[1];
  if (file !== undefined) return readSecret(file, `\${file:${file}}`);
  const groups = CONTENT.exec(content)?.groups;
  const name = groups?.['name'] ?? '';
  if (!/^[A-Za-z_]\w*$/.test(name) || groups?.['kind'] === 'file') {
    const message = `"\${${content}}" is no reference`;
    return {
      problem: {
        code: 'CFG311',
        message,
        suggestion: 'write ${NAME}, ${NAME:-default}, ${NAME:?message} or ${file:/path}',
      },
    };
  }
  if (groups?.['kind'] === 'credential') return readCredential(name, env);
  return resolveVariable(name, groups?.['operator'], groups?.['rest'] ?? '', env);
}

function resolveVariable(
  name: string,
  operator: string | undefined,
  rest: string,
  env: Environment,
): Resolved {
  const value = env[name];
  const unset = value === undefined || (value === '' && operator?.startsWith(':') === true);
  if (!unset) return { value, secret: false };
  if (operator === ':-' || operator === '-') return { value: rest, secret: false };
  if (operator !== undefined) {
    return { problem: { code: 'CFG310', message: `\${${name}} is unset: ${rest || `set ${name}`}` } };
  }
  const similar = closest(name, Object.keys(env));
  return {
    problem: {
      code: 'CFG310',
      message: `\${${name}} is unset`,
      suggestion: `${similar ? `did you mean ${similar}? ` : ''}set it, or give a default: \${${name}:-default}`,
    },
  };
}

/** https://systemd.io/CREDENTIALS */
function readCredential(name: string, env: Environment): Resolved {
  const directory = env['CREDENTIALS_DIRECTORY'];
  if (directory) return readSecret(path.join(directory, name), `\${credential:${name}}`);
  const message = `\${credential:${name}} can't be read: CREDENTIALS_DIRECTORY is unset`;
  return {
    problem: { code: 'CFG312', message, suggestion: 'systemd sets it for units with LoadCredential=' },
  };
}

function readSecret(file: string, reference: string): Resolved {
  const refuse = (reason: string, suggestion?: string): Resolved => ({
    problem: { code: 'CFG312', message: `${reference} can't be read: ${reason}`, suggestion },
  });
  if (!path.isAbsolute(file)) return refuse('the path is not absolute', 'write it from the root on');
  try {
    const stats = fs.statSync(file);
    if (!stats.isFile()) return refuse('it is no regular file');
    if (stats.size > MAX_SECRET_BYTES)
      return refuse(`it has ${stats.size} bytes; at most ${MAX_SECRET_BYTES} are read`);
    // Editors and `echo` end a file with a line feed that is no part of the secret.
    return { value: fs.readFileSync(file, 'utf8').replace(/\r?\n$/, ''), secret: true };
  } catch (error) {
    return refuse(readFault(error));
  }
}

/** What went wrong with a file, in words. */
export function readFault(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  if (code === 'EISDIR') return 'it is a directory';
  return error instanceof Error ? error.message : String(error);
}
