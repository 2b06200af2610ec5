import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import type { BackupProgress } from './backup.ts';
import { openLogReader, openLogStore } from './store.ts';

const folder = fs.mkdtempSync(join(os.tmpdir(), 'treeline-sqlite-backup-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

let files = 0;
let path = '';
beforeEach(() => {
  path = join(folder, `${files++}.db`);
});

describe('backup', () => {
  test('is the store as it was at the beginning, while another connection goes on writing', async () => {
    const store = openLogStore(path);
    const payload = { text: 'x'.repeat(5000) };
    store.append(Array.from({ length: 5000 }, () => ({ source: 'before', payload })));
    const other = openLogStore(path);
    const steps: BackupProgress[] = [];
    await store.backup(`${path}.backup`, (progress) => {
      steps.push(progress);
      other.append({ source: 'after' });
    });
    expect(steps.length).toBeGreaterThan(1);
    expect(other.count({ source: 'after' })).toBe(steps.length);
    const copy = openLogReader(`${path}.backup`);
    expect([copy.count({ source: 'before' }), copy.count({ source: 'after' })]).toEqual([5000, 0]);
    copy.close();
    const db = new BetterSqlite3(`${path}.backup`);
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
    db.close();
    expect(fs.existsSync(`${path}.backup.partial`)).toBe(false);
    other.close();
    store.close();
  });

  test('never takes the place of a file that is there', async () => {
    const store = openLogStore(path);
    fs.writeFileSync(`${path}.backup`, 'precious');
    await expect(store.backup(`${path}.backup`)).rejects.toMatchObject({ code: 'DESTINATION_UNUSABLE' });
    expect(fs.readFileSync(`${path}.backup`, 'utf8')).toBe('precious');
    store.close();
  });
});
