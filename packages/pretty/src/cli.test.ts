import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { prettyCliOptions, runPretty, type PrettyIo } from './cli.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'treeline-pretty-cli-'));
afterAll(() => fs.rmSync(folder, { recursive: true }));

const example = path.join(import.meta.dirname, '..', 'examples', 'requests.ndjson');

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(argv: readonly string[], input = '', overrides: Partial<PrettyIo> = {}): Promise<Run> {
  let out = '';
  let err = '';
  const bytes = Buffer.from(input);
  let at = 0;
  const io: PrettyIo = {
    openInput: () => ({
      async read(buffer, offset) {
        const count = bytes.copy(buffer, offset, at);
        at += count;
        return count;
      },
      close() {},
    }),
    inputIsTerminal: false,
    write: async (chunk) => void (out += Buffer.from(chunk).toString()),
    abandonWrite: () => undefined,
    error: (text) => void (err += text),
    isTerminal: false,
    columns: () => undefined,
    env: {},
    cwd: '/app',
    onInterrupt: () => () => undefined,
    ...overrides,
  };
  return { code: await runPretty(argv, io), out, err };
}

const line = (fields: object): string => `${JSON.stringify({ level: 30, time: 0, ...fields })}\n`;

describe('runPretty', () => {
  test('prints standard input, flat in a pipe and as a tree on a terminal', async () => {
    const input = line({ name: 'api', msg: 'hello' });
    expect((await run([], input)).out).toBe('1970-01-01T00:00:00.000Z INFO  api hello\n');
    const onTerminal = await run(['--utc', '--no-color'], input, { isTerminal: true });
    expect(onTerminal.out).toBe('00:00:00.000 INFO  api  hello\n');
  });

  test('prints files in the order of the arguments', async () => {
    const other = path.join(folder, 'other.ndjson');
    fs.writeFileSync(other, line({ msg: 'other' }));
    const { code, out } = await run([other, example, '--time=none']);
    expect(code).toBe(0);
    expect(out.split('\n').slice(0, 2)).toEqual(['INFO  other', 'INFO  api server listening port=8080']);
  });

  test.each([
    [['--mode', 'tree'], 'mode must be one of auto, live, forest, flat, waterfall; got "tree"'],
    [['--color=sometimes'], 'color must be one of auto, always, never; got "sometimes"'],
    [
      ['--minimumLevel', 'loud'],
      'level must be one of trace, debug, info, warn, error, fatal, silent; got "loud"',
    ],
    [['--colr'], 'unknown option --colr; did you mean --color?'],
    [['--indent'], '--indent needs a value'],
    [['--indent', '9'], 'indent must be a whole number from 1 to 8; got 9'],
    [['--filter', 'level>='], 'a value is missing after ">=" at column 6'],
    [
      ['--levels', 'inof'],
      'levels must be directives: unknown level "inof" at column 1; did you mean "info"?',
    ],
    [
      ['--since', 'whenever'],
      'since must be a time like "2026-03-01T12:00" or an age like "1h"; got "whenever"',
    ],
    [['--origin', 'pid,user'], 'origin must be a list of pid, host, worker'],
    [['--customColors', 'info:pink'], 'customColors must be levels with colours'],
    [['--customLevels', 'audit'], 'customLevels must be names with numbers'],
    [['--max-line-bytes', '10X'], 'size must be a number of bytes'],
  ])('refuses %j with exit 2, the reason on stderr and nothing on stdout', async (argv, reason) => {
    const { code, out, err } = await run(argv, line({ msg: 'x' }));
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(reason);
  });

  test('ends with 66 where a file is missing or a directory', async () => {
    expect(await run([path.join(folder, 'missing')])).toMatchObject({ code: 66, out: '' });
    expect(await run([folder])).toMatchObject({ code: 66, out: '' });
  });

  test.each([
    [['--color']],
    [['--color=always']],
    [['--color', 'always']],
    [['-c']],
    [['--colorize']],
    [['-cS']],
  ])('%j colours a pipe', async (argv) => {
    expect((await run(argv, line({ msg: 'x' }))).out).toContain('\u001b[1;32mINFO');
  });

  test('a value that begins with a dash is no bundle of short options', async () => {
    const input = line({ msg: 'timeout' }) + line({ msg: 'fine' });
    expect((await run(['--time', 'none', '--filter', '-timeout'], input)).out).toBe('INFO  fine\n');
  });

  test('a bare --color does not take the file for its value', async () => {
    expect((await run(['--color', example])).out).toContain('\u001b[');
  });

  test.each([['--minimumLevel'], ['--minimum-level'], ['-L']])('%s is one option', async (flag) => {
    const input = line({ msg: 'below' }) + line({ level: 40, msg: 'above' });
    expect((await run([flag, 'warn', '--time', 'none'], input)).out).toBe('WARN  above\n');
  });

  test('a level filter lets lines through that are no JSON', async () => {
    const input = `plain\n${line({ msg: 'below' })}`;
    expect((await run(['-L', 'error'], input)).out).toBe('plain\n');
  });

  test('a config file gives options, and those of the command line go before', async () => {
    const config = path.join(folder, 'config.json');
    fs.writeFileSync(config, JSON.stringify({ time: 'none', levelFirst: true, color: 'always' }));
    const { out } = await run(['--config', config, '--color', 'never'], line({ msg: 'x' }));
    expect(out).toBe('INFO  x\n');
    const shown = await run(['--config', config, '--show-config']);
    expect(JSON.parse(shown.out)).toMatchObject({
      mode: 'flat',
      time: 'none',
      color: 'always',
      levelFirst: true,
    });
  });

  describe('without --config', () => {
    const project = path.join(folder, 'project');
    const inner = path.join(project, 'src', 'deep');
    fs.mkdirSync(inner, { recursive: true });
    fs.writeFileSync(path.join(project, 'package.json'), '{}');
    const projectFile = path.join(project, 'treeline-pretty.json');

    test('takes the options of the project, which an explicit file and the command line go before', async () => {
      fs.writeFileSync(projectFile, JSON.stringify({ time: 'none', levelFirst: true, indent: 4 }));
      const input = line({ msg: 'x' });
      expect((await run([], input, { cwd: inner })).out).toBe('INFO  x\n');
      expect((await run(['--time', 'iso'], input, { cwd: inner })).out).toContain('1970-01-01');
      const explicit = path.join(folder, 'explicit.json');
      fs.writeFileSync(explicit, '{}');
      expect((await run(['--config', explicit], input, { cwd: inner })).out).toContain('1970-01-01');
      const shown = await run(['--show-config'], '', { cwd: inner });
      expect(JSON.parse(shown.out)).toMatchObject({ indent: 4, time: 'none' });
      expect(shown.err).toContain(projectFile);
    });

    test('looks no further up than the folder with the package.json', async () => {
      fs.rmSync(projectFile, { force: true });
      const outside = path.join(folder, 'treeline-pretty.json');
      fs.writeFileSync(outside, JSON.stringify({ time: 'none' }));
      expect((await run([], line({ msg: 'x' }), { cwd: inner })).out).toContain('1970-01-01');
      fs.rmSync(outside);
    });

    test.each([
      ['{ "raw": true }', 'must not hold raw'],
      ['{ "trustAnsi": true }', 'must not hold trustAnsi'],
      ['{ "mode": "tree" }', 'mode must be one of'],
      ['{ "unknown": 1 }', 'unknown'],
      ['[]', 'must hold a JSON object'],
      ['{', 'is no JSON'],
    ])('refuses a project file with %s', async (text, reason) => {
      fs.writeFileSync(projectFile, text);
      const { code, out, err } = await run([], line({ msg: 'x' }), { cwd: inner });
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toContain(reason);
      fs.rmSync(projectFile);
    });
  });

  test('--strict ends with 1 where a line is no JSON', async () => {
    expect((await run(['--strict'], 'plain\n')).code).toBe(1);
    expect((await run(['--strict'], line({}))).code).toBe(0);
  });

  test('ends quietly with 0 when nobody reads its output any more', async () => {
    const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
    const result = await run([], line({ msg: 'x' }), { write: () => Promise.reject(broken) });
    expect(result).toEqual({ code: 0, out: '', err: '' });
  });

  test('--help names every option', async () => {
    const { code, out } = await run(['--help']);
    expect(code).toBe(0);
    for (const { flag, description } of prettyCliOptions) {
      expect(out).toContain(flag);
      expect(description).not.toBe('');
    }
  });

  test('keeps nothing of a read that is over', async () => {
    const reads = 20_000;
    const child = `import { runPretty } from ${JSON.stringify(built)};
      let count = 0, before = 0;
      const heap = () => { gc(); return process.memoryUsage().heapUsed; };
      await runPretty([], {
        openInput: () => ({
          async read(buffer, offset) {
            if (++count === ${reads}) before = heap();
            if (count === ${reads} * 3) process.stderr.write(String(heap() - before));
            return count > ${reads} * 3 ? 0 : buffer.write('{"level":30,"msg":"x"}\\n', offset);
          },
          close() {},
        }),
        inputIsTerminal: false, write: async () => {}, abandonWrite() {}, error() {}, isTerminal: false,
        columns: () => undefined, env: {}, cwd: '/', onInterrupt: () => () => {},
      });`;
    const args = ['--expose-gc', '--input-type=module', '-e', child];
    const { stderr } = await promisify(execFile)(process.execPath, args);
    // What was kept of a read took some 300 bytes.
    expect(Number(stderr)).toBeLessThan(reads * 2 * 100);
  });

  test('goes on after a first interrupt in a pipe, and ends with 130 at a second', async () => {
    let interrupt = (): void => undefined;
    const chunks = [line({ msg: 'one' }), line({ msg: 'two' }), ''];
    const result = await run(['--time', 'none'], '', {
      onInterrupt(listener) {
        interrupt = listener;
        return () => undefined;
      },
      openInput: () => ({
        async read(buffer, offset) {
          const chunk = chunks.shift();
          interrupt();
          // The input never ends by itself.
          return chunk === '' ? new Promise<number>(() => undefined) : buffer.write(chunk ?? '', offset);
        },
        close() {},
      }),
    });
    expect(result).toMatchObject({ code: 130, out: 'INFO  one\nINFO  two\n' });
  });
});

/** The command as the published package runs it. */
const program = path.join(folder, 'pretty.mjs');
const built = path.join(import.meta.dirname, '..', 'dist', 'cli.js');
fs.writeFileSync(
  program,
  `import { runPretty } from ${JSON.stringify(built)};\nprocess.exitCode = await runPretty(process.argv.slice(2));\n`,
);

/** Waits until the process has written some of its output and writes no more. */
async function untilItStandsStill(pid: number): Promise<void> {
  let before: number | undefined;
  const standsStill = (): boolean => {
    const [, written] = /^wchar: (\d+)/m.exec(fs.readFileSync(`/proc/${pid}/io`, 'utf8')) ?? [];
    const now = Number(written);
    const same = now === before && now > 30_000;
    before = now;
    return same;
  };
  await expect.poll(standsStill, { timeout: 20_000, interval: 500 }).toBe(true);
}

describe('the command in a process of its own', () => {
  test('prints a pipe to its end, a last line without a line feed included', async () => {
    const child = spawn(process.execPath, [program, '--time', 'none'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin.write(line({ msg: 'one' }));
    child.stdin.end(line({ msg: 'two' }).trimEnd());
    const out: string[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk.toString()));
    const [code] = (await once(child, 'close')) as [number];
    expect({ code, out: out.join('') }).toEqual({ code: 0, out: 'INFO  one\nINFO  two\n' });
  });

  test('ends quietly in front of head', async () => {
    const many = path.join(folder, 'many.ndjson');
    fs.writeFileSync(many, line({ msg: 'x'.repeat(100) }).repeat(20_000));
    const command = `${process.execPath} ${program} ${many} | head -n 1; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', command]);
    expect(stderr).toBe('');
    expect(stdout.split('\n')[1]).toBe('0');
  });

  test('prints what the program before still says after Ctrl-C', async () => {
    const child = spawn(process.execPath, [program, '--time', 'none'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const out: string[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk.toString()));
    child.stdin.write(line({ msg: 'before' }));
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    child.stdin.end(line({ msg: 'after' }));
    const [code, signal] = (await once(child, 'close')) as [number, string | null];
    expect({ code, signal, out: out.join('') }).toEqual({
      code: 0,
      signal: null,
      out: 'INFO  before\nINFO  after\n',
    });
  });

  // A pipe of a shell; what child_process calls a pipe is a socket, whose writes may block.
  test('ends at a second Ctrl-C while nobody reads its output', async () => {
    const many = path.join(folder, 'stuck.ndjson');
    fs.writeFileSync(many, line({ msg: 'x'.repeat(1000) }).repeat(1000));
    const printing = `bash -c 'echo $$ >&2; exec ${process.execPath} ${program}'; echo $? >&2`;
    const command = `{ cat ${many}; exec sleep 60; } | { ${printing}; } | sleep 60`;
    const child = spawn('bash', ['-c', command], { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    try {
      let told = '';
      child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
      await expect.poll(() => told, { timeout: 10_000 }).toMatch(/^\d+\n/);
      const pid = Number(told);
      await untilItStandsStill(pid);
      const code = (): string | undefined => {
        const [, ended] = told.split('\n');
        // Signals that come in one moment are one.
        if (!ended) process.kill(pid, 'SIGINT');
        return ended;
      };
      await expect.poll(code, { timeout: 10_000, interval: 500 }).toBe('130');
    } finally {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    }
  }, 60_000);

  test('ends at a second Ctrl-C while nobody reads its socket', async () => {
    const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
    try {
      child.stdin.on('error', () => undefined);
      child.stdin.write(line({ msg: 'x'.repeat(1000) }).repeat(2000));
      await untilItStandsStill(child.pid ?? 0);
      const code = (): number | null => {
        if (child.exitCode === null) child.kill('SIGINT');
        return child.exitCode;
      };
      await expect.poll(code, { timeout: 10_000, interval: 500 }).toBe(130);
    } finally {
      child.kill('SIGKILL');
    }
  }, 60_000);

  test('draws a coloured tree as wide as a pseudo-terminal', async () => {
    const command = `stty cols 50; ${process.execPath} ${program} --utc ${example}`;
    const env = { PATH: process.env['PATH'], TERM: 'xterm-256color' };
    const { stdout } = await promisify(execFile)(
      'script',
      ['-qec', command, path.join(folder, 'typescript')],
      { env },
    );
    const lines = stdout.split('\r\n');
    expect(lines[0]).toBe(
      '\u001b[2m12:00:00.000\u001b[0m \u001b[1;32mINFO \u001b[0m \u001b[36mapi\u001b[0m  server listening',
    );
    expect(stdout).toContain('┐');
    for (const each of lines) expect(each.replaceAll(/\u001b\[[\d;]*m/g, '').length).toBeLessThanOrEqual(50);
  });
});
