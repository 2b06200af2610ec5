import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const built = path.join(import.meta.dirname, '..', 'dist', 'index.js');

/** What a program that logs through the transport prints. */
async function printed(program: string): Promise<string> {
  const source = `import pino from 'pino';
    const target = ${JSON.stringify(built)};
    ${program}`;
  const args = ['--input-type=module', '-e', source];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: path.join(import.meta.dirname, '..'),
  });
  return stdout;
}

const options = "{ time: 'none', fields: 'none', stack: 'none' }";

describe('as a pino target', () => {
  test('takes the keys and levels of the logger, without being told', async () => {
    const out = await printed(`
      const logger = pino({ messageKey: 'text', errorKey: 'failure', customLevels: { audit: 35 }, transport: { target, options: ${options} } });
      logger.audit({ failure: new Error('broken') }, 'checked');`);
    expect(out).toBe('AUDIT checked failure="Error: broken"\n');
  });

  test('goes before what the logger says where it has an option of its own', async () => {
    const out = await printed(`
      const options = { ...${options}, messageKey: 'title' };
      const logger = pino({ messageKey: 'text', base: null, transport: { target, options } });
      logger.info({ title: 'own' }, 'not this');`);
    expect(out).toBe('INFO  own\n');
  });

  test('starts where no logger says anything', async () => {
    const out = await printed(`
      const stream = pino.transport({ target, options: ${options} });
      stream.write('{"level":30,"msg":"alone"}\\n');
      stream.end();`);
    expect(out).toBe('INFO  alone\n');
  });

  test('a flush that was asked for before there was a logger comes to its end', async () => {
    const out = await printed(`
      const stream = pino.transport({ target, options: ${options} });
      stream.write('{"level":30,"msg":"early"}\\n');
      stream.flush(() => {
        const logger = pino({}, stream);
        logger.info('late');
        stream.end();
      });`);
    expect(out).toBe('INFO  early\nINFO  late\n');
  });
});
