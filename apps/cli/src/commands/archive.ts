import type { ArchiveEntry, ArchiveResult, VerifyFinding } from '@treeline/archive';
import { formatBytes, TreelineError } from '@treeline/contract';
import { createArchiveReport, type ArchiveOutput } from '../archive-report.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { printable, tell, writeOut } from '../terminal.ts';

/** The options of `treeline archive run` as they were typed. */
export interface ArchiveRunFlags {
  readonly olderThan: string;
  readonly to: string;
  readonly gzipLevel?: string;
  readonly output?: ArchiveOutput;
}

export interface ArchiveOutputFlag {
  readonly output?: ArchiveOutput;
}

/** Moves old rows into an archive; gives the exit code. */
export async function run(store: string, flags: ArchiveRunFlags): Promise<number> {
  const { archive } = await import('@treeline/archive');
  const report = createArchiveReport(flags.output);
  const gzipLevel = flags.gzipLevel === undefined ? undefined : Number(flags.gzipLevel);
  try {
    const result = await archive(
      store,
      { olderThan: flags.olderThan, to: flags.to, gzipLevel },
      {
        onProgress: (progress) => report.progress(progress),
        onSegment: ({ name, rows, bytes, rawBytes, firstMs, lastMs }) =>
          report.event(
            'segment',
            { segment: name, rows, bytes, rawBytes, firstMs, lastMs },
            `${name}: ${rows} rows, ${formatBytes(bytes)} (${formatBytes(rawBytes)} uncompressed)`,
          ),
        onNotice: ({ kind, message }) => report.event('notice', { kind }, message),
      },
    );
    const { segments, deleted, cutoffMs, damaged } = result;
    report.event(
      'done',
      { deleted, segments: segments.length, cutoffMs },
      closingLine(store, flags.to, result),
    );
    return damaged ? EXIT.failed : EXIT.ok;
  } catch (error) {
    throw asUsage(error);
  } finally {
    report.end();
  }
}

function closingLine(
  store: string,
  to: string,
  { cutoffMs, segments, deleted, finished }: ArchiveResult,
): string {
  const cutoff = new Date(cutoffMs).toISOString();
  const moved = deleted - (finished?.deleted ?? 0);
  const own =
    moved === 0 && segments.length === 0
      ? `nothing to archive: no row is older than ${cutoff}`
      : `${moved} rows before ${cutoff} moved from ${store} to ${to}`;
  if (!finished) return own;
  return `${finished.deleted} rows that a run before had archived in ${finished.folder} deleted from ${store}; ${own}`;
}

/** Prints what an archive holds. */
export async function list(folder: string, flags: ArchiveOutputFlag): Promise<number> {
  const { listArchive } = await import('@treeline/archive');
  const entries = listArchive(folder);
  if (entries.length === 0) tell(`${folder} holds no archive`);
  writeOut(
    flags.output === 'jsonl' ? entries.map((each) => `${JSON.stringify(each)}\n`).join('') : table(entries),
  );
  return EXIT.ok;
}

/** Proves an archive; names what is damaged. */
export async function verify(folder: string, flags: ArchiveOutputFlag): Promise<number> {
  const { verifyArchive } = await import('@treeline/archive');
  const report = createArchiveReport(flags.output);
  try {
    const result = await verifyArchive(folder, ({ segment, done, total }) =>
      report.progress({ step: 'verify', segment, done, total }),
    );
    tellFindings(report, result.findings);
    const { segments, rows, bytes, ok } = result;
    report.event(
      'done',
      { ok, segments, rows, bytes },
      `${ok ? 'ok' : 'DAMAGED'}: ${segments} files, ${rows} rows, ${formatBytes(bytes)}`,
    );
    return ok ? EXIT.ok : EXIT.failed;
  } finally {
    report.end();
  }
}

export interface ArchiveRestoreFlags extends ArchiveOutputFlag {
  readonly to: string;
}

/** Makes a store of an archive's rows. */
export async function restore(folder: string, flags: ArchiveRestoreFlags): Promise<number> {
  const { restoreArchive } = await import('@treeline/archive');
  const report = createArchiveReport(flags.output);
  try {
    const { restored, findings, ok } = await restoreArchive(folder, {
      to: flags.to,
      onProgress: ({ segment, rows, total }) =>
        report.progress({ step: 'restore', segment, done: rows, total }),
    });
    tellFindings(report, findings);
    report.event('done', { ok, restored }, `${restored} rows restored to ${flags.to}`);
    return ok ? EXIT.ok : EXIT.failed;
  } finally {
    report.end();
  }
}

function tellFindings(
  report: ReturnType<typeof createArchiveReport>,
  findings: readonly VerifyFinding[],
): void {
  for (const { severity, file, message } of findings) {
    report.event('finding', { severity, file, message }, `${severity}: ${file}: ${message}`);
  }
}

/** A wrong option is a mistake in the command, not in the program. */
function asUsage(error: unknown): unknown {
  if (error instanceof TypeError && !(error instanceof TreelineError)) {
    return new CommandFailure(
      EXIT.usage,
      error.message
        .replace('olderThan:', '--older-than')
        .replace('gzipLevel:', '--gzip-level')
        .replace('to:', '--to'),
    );
  }
  return error;
}

function table(entries: readonly ArchiveEntry[]): string {
  const header = ['SEGMENT', 'FROM', 'TO', 'ROWS', 'BYTES', 'FILE'];
  const rows = entries.map(({ segment, firstMs, lastMs, rows: count, bytes, file }) => [
    String(segment),
    new Date(firstMs).toISOString(),
    new Date(lastMs).toISOString(),
    String(count),
    formatBytes(bytes),
    file,
  ]);
  if (rows.length === 0) return '';
  const widths = header.map((_, column) =>
    Math.max(...[header, ...rows].map((row) => row[column]?.length ?? 0)),
  );
  const lines = [header, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${printable(lines.join('\n'))}\n`;
}
