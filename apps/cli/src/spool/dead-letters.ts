import { letterId, listDeadLetters, readDeadLetters, type DeadLetter } from '@treeline/spool';

/** The dead letters of one stream. */
export interface LetterGroup {
  readonly service: string;
  readonly streamKey: string;
  /** Each record once, oldest file first. */
  readonly letters: readonly DeadLetter[];
  readonly bytes: number;
  /** Of writes that were cut. */
  readonly tornBytes: number;
}

/** Every stream's dead letters under the state directory. */
export function readLetterGroups(stateDirectory: string): LetterGroup[] {
  const groups = new Map<string, { letters: Map<string, DeadLetter>; bytes: number; tornBytes: number }>();
  const files = listDeadLetters(stateDirectory);
  for (const { service, streamKey, path, bytes } of files) {
    const key = JSON.stringify([service, streamKey]);
    const group = groups.get(key) ?? { letters: new Map<string, DeadLetter>(), bytes: 0, tornBytes: 0 };
    groups.set(key, group);
    const content = readDeadLetters(path);
    for (const letter of content.letters) group.letters.set(letterId(letter), letter);
    group.bytes += bytes;
    group.tornBytes += content.tornBytes;
  }
  return [...groups].map(([key, { letters, bytes, tornBytes }]) => {
    const [service, streamKey] = JSON.parse(key) as [string, string];
    return { service, streamKey, letters: [...letters.values()], bytes, tornBytes };
  });
}

/** How many letters there are of each reason, the most frequent first. */
export function countReasons(letters: readonly DeadLetter[]): [reason: string, count: number][] {
  const counts = new Map<string, number>();
  for (const { reason } of letters) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts].toSorted(([, a], [, b]) => b - a);
}
