import { messageOf } from '@treeline/contract';
import type { VerifyFinding } from './finding.ts';
import { readHead, type StoredManifest } from './folder.ts';
import { MANIFEST_SUFFIX, parseSegmentName } from './segment-name.ts';

/** What is wrong with the chain of a store's manifests. */
export function verifyChain(
  folder: string,
  store: string,
  segments: readonly { readonly name: string; readonly segment: number }[],
  manifests: ReadonlyMap<string, StoredManifest>,
): VerifyFinding[] {
  const findings: VerifyFinding[] = [];
  const damage = (file: string, message: string): void => {
    findings.push({ severity: 'damage', file, message });
  };
  let before: { readonly segment: number; readonly stored: StoredManifest | undefined } = {
    segment: 0,
    stored: undefined,
  };
  for (const { name, segment } of segments) {
    const stored = manifests.get(name);
    const file = name + MANIFEST_SUFFIX;
    if (segment === before.segment) damage(file, `segment ${segment} is there twice`);
    for (let missing = before.segment + 1; missing < segment; missing++) {
      damage(segmentFile(store, missing), `segment ${missing} is missing: there is a gap before ${file}`);
    }
    const follows = segment === before.segment + 1;
    const expected = segment === 1 ? null : before.stored?.sha256;
    if (stored && follows && expected !== undefined && stored.manifest.previous !== expected) {
      damage(
        before.stored ? fileName(before.stored) : file,
        `the chain is broken: ${file} was written after another manifest than this one; one of the two was edited or replaced`,
      );
    }
    before = { segment, stored };
  }
  return [...findings, ...verifyHead(folder, store, before)];
}

function verifyHead(
  folder: string,
  store: string,
  last: { readonly segment: number; readonly stored: StoredManifest | undefined },
): VerifyFinding[] {
  const file = `logs-${store}.head.json`;
  const damage = (name: string, message: string): VerifyFinding[] => [
    { severity: 'damage', file: name, message },
  ];
  let head;
  try {
    head = readHead(folder, store);
  } catch (error) {
    return damage(file, messageOf(error));
  }
  if (!head) return damage(file, 'it is missing: nothing vouches for the last manifest');
  if (head.segment > last.segment) {
    const missing = Array.from(
      { length: head.segment - last.segment },
      (_, index) => last.segment + 1 + index,
    );
    return missing.flatMap((segment) =>
      damage(
        segmentFile(store, segment),
        `segment ${segment} is missing: the archive goes up to ${head.segment}`,
      ),
    );
  }
  if (head.segment < last.segment) {
    // A run that was killed between the two; the next one writes the head.
    return [
      {
        severity: 'note',
        file,
        message: `it ends at segment ${head.segment}; the next run brings it up to ${last.segment}`,
      },
    ];
  }
  if (last.stored && head.sha256 !== last.stored.sha256) {
    return damage(
      fileName(last.stored),
      'it is not the manifest that was written: it was edited or replaced',
    );
  }
  return [];
}

/** Files that belong to nothing. */
export function findLeftovers(
  names: readonly string[],
  segments: readonly { readonly name: string }[],
): VerifyFinding[] {
  const known = new Set(segments.map(({ name }) => name));
  return names.flatMap((file): VerifyFinding[] => {
    const name = file.replace(/\.jsonl\.gz(\.tmp)?$/, '');
    if (name === file || known.has(name) || !parseSegmentName(name)) return [];
    return [{ severity: 'note', file, message: 'it has no manifest: a run that was interrupted left it' }];
  });
}

function segmentFile(store: string, segment: number): string {
  return `logs-${store}-${String(segment).padStart(6, '0')}-…`;
}

function fileName(stored: StoredManifest): string {
  return stored.path.slice(stored.path.lastIndexOf('/') + 1);
}
