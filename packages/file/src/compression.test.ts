import fs from 'node:fs';
import zlib from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { CAN_ZSTD } from './compression-method.ts';
import { LogFolder, numbered, until } from './log-folder.test.fixture.ts';
import { parseOptions } from '@treeline/contract';
import transport from './index.ts';

const rotation = { size: 1000 };

describe('rotated files', () => {
  test.each([
    ['gzip', 'gz', zlib.gunzipSync],
    [{ method: 'gzip', level: 1 }, 'gz', zlib.gunzipSync],
    ['brotli', 'br', zlib.brotliDecompressSync],
  ] as const)(
    '%j: are replaced by compressed ones with the same content, mode and time',
    async (compress, suffix, decompress) => {
      await using folder = new LogFolder();
      const plain = numbered(0, 10).bytes;
      fs.writeFileSync(folder.at('app.log.2026-11-20.1'), plain);
      fs.utimesSync(folder.at('app.log.2026-11-20.1'), 1_700_000_000, 1_700_000_000);
      await folder.open({ rotation, compress, mode: '0600' });
      const copy = folder.at(`app.log.2026-11-20.1.${suffix}`);
      await until(() => folder.names.length === 2 && fs.existsSync(copy), 'the compressed file');
      expect(decompress(fs.readFileSync(copy))).toEqual(plain);
      expect(fs.statSync(copy)).toMatchObject({ mode: 0o100600, mtimeMs: 1_700_000_000_000 });
      await until(() => fs.readdirSync(folder.at('.treeline')).length === 1, 'the claim to go');
    },
  );

  test('are compressed although one before them can not be, which is told by name', async () => {
    await using folder = new LogFolder();
    fs.writeFileSync(folder.at('app.log.2026-11-20.1'), 'blocked\n');
    fs.mkdirSync(folder.at('app.log.2026-11-20.1.gz'));
    fs.writeFileSync(folder.at('app.log.2026-11-20.2'), 'free\n');
    await folder.open({ rotation, compress: 'gzip' });
    await until(() => !folder.names.includes('app.log.2026-11-20.2'), 'the second file');
    expect(folder.names).toContain('app.log.2026-11-20.1');
    expect(folder.events.map(({ reason }) => reason).join()).toMatch(
      /can't compress .*app\.log\.2026-11-20\.1 among/,
    );
  });

  test('stay as they are while another process that lives holds them', async () => {
    await using folder = new LogFolder();
    fs.writeFileSync(folder.at('app.log.2026-11-20.1'), 'held\n');
    fs.mkdirSync(folder.at('.treeline'));
    const entry = folder.at('.treeline/app.log.writer.elsewhere-1-00000000');
    const beat = (): void =>
      fs.writeFileSync(entry, `${fs.statSync(folder.at('app.log.2026-11-20.1')).ino}\n`);
    beat();
    fs.writeFileSync(folder.at('app.log.2026-11-20.2'), 'free\n');
    await folder.open({ rotation, compress: 'gzip' });
    await until(() => folder.names.includes('app.log.2026-11-20.2.gz'), 'the file that nobody holds');
    expect(folder.names).toContain('app.log.2026-11-20.1');
    fs.rmSync(entry);
    await until(() => folder.names.includes('app.log.2026-11-20.1.gz'), 'the file that was left');
  });
});

describe('what a crash has left', () => {
  test('a copy beside its source is made again', async () => {
    await using folder = new LogFolder();
    fs.writeFileSync(folder.at('app.log.2026-11-20.1'), 'whole\n');
    fs.writeFileSync(folder.at('app.log.2026-11-20.1.gz'), 'half');
    await folder.open({ rotation, compress: 'gzip' });
    await until(() => !folder.names.includes('app.log.2026-11-20.1'), 'the source to go');
    expect(zlib.gunzipSync(fs.readFileSync(folder.at('app.log.2026-11-20.1.gz'))).toString()).toBe('whole\n');
  });

  test('temporary files of dead processes are removed, and their claims taken over', async () => {
    await using folder = new LogFolder();
    fs.writeFileSync(folder.at('app.log.2026-11-20.1'), 'whole\n');
    fs.mkdirSync(folder.at('.treeline'));
    const old = Date.now() / 1000 - 60;
    for (const name of [
      'temporary.dead-1-00000000.app.log.2026-11-20.1',
      'compressing.app.log.2026-11-20.1',
      'writer.dead-1-00000000',
    ]) {
      fs.writeFileSync(folder.at(`.treeline/app.log.${name}`), '1\n');
      fs.utimesSync(folder.at(`.treeline/app.log.${name}`), old, old);
    }
    await folder.open({ rotation, compress: 'gzip' });
    await until(() => folder.names.includes('app.log.2026-11-20.1.gz'), 'the compressed file');
    await until(() => fs.readdirSync(folder.at('.treeline')).length === 1, 'the leftovers to go');
  });
});

test('zstd is there where Node has it, and an error that says so where not', async () => {
  const parsed = parseOptions(transport.definition, { path: 'app.log', compress: 'zstd' });
  if (CAN_ZSTD) expect(await parsed).toMatchObject({ compress: { method: 'zstd', level: 3 } });
  else await expect(parsed).rejects.toThrow(/zstd needs 22\.15 or newer/);
});
