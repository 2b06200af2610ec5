import { expect, test } from 'vitest';
import { GroupSync } from './group-sync.ts';

interface Pending {
  resolve(): void;
  reject(error: Error): void;
}

test('calls that come while a sync is under way share the next, which begins after it', async () => {
  const { group, syncs } = controlled();
  const first = group.run();
  const second = group.run();
  const third = group.run();
  expect(third).toBe(second);
  expect(syncs).toHaveLength(1);
  syncs[0]?.resolve();
  await first;
  await turn();
  expect(syncs).toHaveLength(2);
  // Whoever comes now can't rely on the second one any more.
  const fourth = group.run();
  expect(fourth).not.toBe(second);
  syncs[1]?.resolve();
  await second;
  await turn();
  expect(syncs).toHaveLength(3);
  syncs[2]?.resolve();
  await fourth;
});

test('a sync that fails is told to its own callers only', async () => {
  const { group, syncs } = controlled();
  const first = group.run();
  const second = group.run();
  syncs[0]?.reject(new Error('disk gone'));
  await expect(first).rejects.toThrow('disk gone');
  await turn();
  syncs[1]?.resolve();
  await expect(second).resolves.toBeUndefined();
});

function controlled(): { group: GroupSync; syncs: Pending[] } {
  const syncs: Pending[] = [];
  const group = new GroupSync(() => new Promise((resolve, reject) => syncs.push({ resolve, reject })));
  return { group, syncs };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
