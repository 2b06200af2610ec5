import { tell, writeError, writeOut } from './terminal.ts';

/** How a run tells what it does. */
export type ArchiveOutput = 'text' | 'jsonl';

/** A step as it goes on, for a line that is overwritten or one JSON object. */
export interface StepProgress {
  readonly step: string;
  readonly segment: string;
  readonly done: number;
  readonly total: number | undefined;
}

/** Tells people on a terminal and programs elsewhere. */
export interface ArchiveReport {
  progress(progress: StepProgress): void;
  event(event: string, fields: Readonly<Record<string, unknown>>, text: string): void;
  end(): void;
}

/** A terminal's line is written anew this often; programs are told more rarely. */
const TERMINAL_MS = 100;
const JSONL_MS = 1000;

/** Progress goes to a terminal's stderr as one line that changes, or as JSON lines to standard output where that is no terminal. */
export function createArchiveReport(output: ArchiveOutput | undefined): ArchiveReport {
  const form = output ?? (process.stdout.isTTY ? 'text' : 'jsonl');
  return form === 'text' ? new TextReport() : new JsonReport();
}

class TextReport implements ArchiveReport {
  #toldAtMs = -Infinity;
  #isLineOpen = false;

  progress({ step, done, total }: StepProgress): void {
    const nowMs = performance.now();
    if (!process.stderr.isTTY || nowMs - this.#toldAtMs < TERMINAL_MS) return;
    this.#toldAtMs = nowMs;
    this.#isLineOpen = true;
    writeError(`\r\u001b[K${step} ${done}${total === undefined ? '' : ` of ${total}`}`);
  }

  event(_event: string, _fields: Readonly<Record<string, unknown>>, text: string): void {
    this.end();
    tell(text);
  }

  end(): void {
    if (this.#isLineOpen) writeError('\r\u001b[K');
    this.#isLineOpen = false;
  }
}

class JsonReport implements ArchiveReport {
  #toldAtMs = -Infinity;
  #step = '';

  progress(progress: StepProgress): void {
    const nowMs = performance.now();
    const step = `${progress.segment} ${progress.step}`;
    if (step === this.#step && nowMs - this.#toldAtMs < JSONL_MS) return;
    this.#toldAtMs = nowMs;
    this.#step = step;
    this.#write({ event: 'progress', ...progress });
  }

  event(event: string, fields: Readonly<Record<string, unknown>>, text: string): void {
    this.#write({ event, ...fields, message: text });
  }

  end(): void {
    this.#step = '';
  }

  #write(object: object): void {
    writeOut(`${JSON.stringify(object)}\n`);
  }
}
