import type { Line } from './line.ts';

/** A shape of output: what each line of the log becomes, and what is left for the end of input. */
export interface Mode {
  /** `isVisible` says whether the line passed the filters; a span line that did not may still be needed for others. */
  line(line: Line, isVisible: boolean): string;
  end(): string;
}
