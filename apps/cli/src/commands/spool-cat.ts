import { letterId, listLogs, openLogReader, type DeadLetter, type LogListing } from '@treeline/spool';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { readLetterGroups } from '../spool/dead-letters.ts';
import { offsetOfLine } from '../spool/log-lag.ts';
import { findStreamKey, loadSpoolState, type SpoolFlags } from '../spool/state.ts';
import { openOutput, tell } from '../terminal.ts';

export interface SpoolCatFlags extends SpoolFlags {
  readonly deadLetters?: true;
  /** A stream's name or key: what its cursor has not passed, or its dead letters. */
  readonly stream?: string;
  /** What stands behind it is printed. */
  readonly cursor?: string;
  readonly showCursor?: true;
  readonly output: 'jsonl' | 'rows';
}

/** Prints the lines of a log, or of dead letters. */
export async function cat(id: string | undefined, flags: SpoolCatFlags): Promise<number> {
  const { directory } = loadSpoolState(flags);
  if (flags.deadLetters) return catLetters(directory, flags);
  return catLog(findLog(await listLogs(directory), id), flags);
}

function findLog(logs: readonly LogListing[], id: string | undefined): LogListing {
  const found = logs.filter(({ logId }) => logId.startsWith(id ?? ''));
  const [log, ...others] = found;
  if (log === undefined) {
    const which = id === undefined ? 'no log is kept' : `no log begins with "${id}"`;
    throw new CommandFailure(EXIT.noInput, `${which}; "treeline spool ls" shows what there is`);
  }
  if (others.length > 0) {
    const ids = found.map(({ logId }) => logId).join(', ');
    throw new CommandFailure(EXIT.usage, `${found.length} logs are meant: name one of ${ids}`);
  }
  return log;
}

async function catLog(log: LogListing, flags: SpoolCatFlags): Promise<number> {
  let lostRecords = 0;
  const reader = openLogReader(log.directory, {
    fromSeq: firstWantedSeq(log, flags),
    follow: false,
    onDamage: ({ reason, records, bytes }) => {
      lostRecords += records;
      if (records > 0) tell(`${records} records can't be read here (${reason}, ${bytes} bytes)`);
    },
  });
  const out = openOutput();
  let lastSeq: number | undefined;
  for (let run = reader.next(); run !== undefined && !out.closed; run = reader.next()) {
    if (flags.output === 'jsonl') await out.write(run.bytes.toString());
    else {
      for (let line = 0; line < run.count; line++) {
        const text = run.bytes.toString('utf8', offsetOfLine(run, line), offsetOfLine(run, line + 1) - 1);
        await out.write(row({ logId: log.logId, seq: run.firstSeq + line }, text));
      }
    }
    lastSeq = run.firstSeq + run.count - 1;
  }
  reader.close();
  await out.flush();
  if (flags.showCursor && lastSeq !== undefined) tell(`cursor: ${lastSeq}`);
  return lostRecords > 0 ? EXIT.failed : EXIT.ok;
}

function firstWantedSeq({ cursors }: LogListing, { cursor, stream }: SpoolCatFlags): number {
  if (cursor !== undefined) {
    const seq = Number(cursor);
    if (!Number.isSafeInteger(seq))
      throw new CommandFailure(EXIT.usage, `--cursor must be a record's number; got "${cursor}"`);
    return seq + 1;
  }
  if (stream === undefined) return 0;
  return (cursors.streams.get(findStreamKey(stream, cursors.streams.keys()))?.seq ?? -1) + 1;
}

async function catLetters(directory: string, flags: SpoolCatFlags): Promise<number> {
  const { stream } = flags;
  const groups = readLetterGroups(directory);
  const key =
    stream === undefined
      ? undefined
      : findStreamKey(
          stream,
          groups.map(({ streamKey }) => streamKey),
        );
  const letters = groups
    .filter(({ streamKey }) => (key ?? streamKey) === streamKey)
    .flatMap((group) => group.letters);
  const out = openOutput();
  const wanted = behindCursor(letters, flags.cursor);
  for (const { line, ...place } of wanted) {
    const text = line.toString();
    await out.write(flags.output === 'jsonl' ? `${text}\n` : row(place, text));
  }
  await out.flush();
  const last = wanted.at(-1);
  if (flags.showCursor && last) tell(`cursor: ${letterId(last)}`);
  return EXIT.ok;
}

function behindCursor(letters: readonly DeadLetter[], cursor: string | undefined): readonly DeadLetter[] {
  if (cursor === undefined) return letters;
  const at = letters.findIndex((letter) => letterId(letter) === cursor);
  if (at === -1)
    throw new CommandFailure(
      EXIT.usage,
      `no dead letter stands at the cursor "${cursor}"; it may have been replayed`,
    );
  return letters.slice(at + 1);
}

/** A line that is no JSON is kept as a text. */
function row(place: object, text: string): string {
  return `${JSON.stringify({ ...place, ...parsed(text) })}\n`;
}

function parsed(text: string): object {
  try {
    const record: unknown = JSON.parse(text);
    return { record };
  } catch {
    return { text };
  }
}
