import { spawnSync } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { scratchFolder } from './program.ts';

const GUIDE = fileURLToPath(new URL('../../../docs/guide/getting-started.md', import.meta.url));
const NODE_MODULES = fileURLToPath(new URL('../node_modules', import.meta.url));

interface Block {
  readonly info: string;
  readonly text: string;
}

function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\S.*)\n([\s\S]*?)^```$/gmu)].map(([, info = '', text = '']) => ({
    info,
    text,
  }));
}

/** A terminal and a pipe differ in times and columns, not in what is said. */
function said(text: string): string[] {
  const lines = text.split('\n').map((line) =>
    line
      .replace(/^[\dT:.Z-]{8,} /u, '')
      .replaceAll(/\s+/gu, ' ')
      .trim(),
  );
  return lines.filter((line) => line !== '');
}

test('every file and command of the getting-started guide works, and says what the guide shows', () => {
  using folder = scratchFolder();
  symlinkSync(NODE_MODULES, path.join(folder.path, 'node_modules'));
  const env = {
    ...process.env,
    PATH: `${path.join(NODE_MODULES, '.bin')}${path.delimiter}${process.env['PATH']}`,
  };
  let output = '';
  let commands = 0;
  for (const { info, text } of blocksOf(readFileSync(GUIDE, 'utf8'))) {
    const [, file] = /title="(.+?)"/u.exec(info) ?? [];
    if (file !== undefined) writeFileSync(path.join(folder.path, file), text);
    if (info === 'sh run') {
      const run = spawnSync('sh', ['-ec', text], { cwd: folder.path, env, encoding: 'utf8' });
      expect({ text, status: run.status, stderr: run.stderr }).toEqual({ text, status: 0, stderr: '' });
      expect(run.stdout, text).not.toBe('');
      output = run.stdout;
      commands += 1;
    }
    if (info === 'text') {
      for (const line of said(text)) expect(said(output).join('\n')).toContain(line.replace(/ …$/u, ''));
    }
  }
  expect(commands).toBeGreaterThan(4);
});
