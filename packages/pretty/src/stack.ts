/** One error of a stack text: what stands before its frames, and the frames as they stand, trimmed. */
export interface StackPart {
  readonly head: string;
  readonly frames: readonly string[];
}

const FRAME = /^\s+at /;

/** Cuts a stack text into its errors: pino's standard serializer joins those of the causes with "caused by: ". */
export function parseStack(stack: string): StackPart[] {
  if (stack === '') return [];
  return stack.split('\ncaused by: ').map((part) => {
    const lines = part.split(/\r?\n/);
    const first = lines.findIndex((line) => FRAME.test(line));
    const headEnd = first < 0 ? lines.length : first;
    return {
      head: lines.slice(0, headEnd).join('\n'),
      frames: lines.slice(headEnd).map((line) => line.trim()),
    };
  });
}

/** Whether a frame is of Node itself or of an installed package. */
export function isInternalFrame(frame: string): boolean {
  return /(?:^at |\()node:|[\\/]node_modules[\\/]|^at (?:new )?Promise \(|<anonymous>\)?$|\(native\)/.test(
    frame,
  );
}

/** A frame with its path relative to the working directory, where it lies below it. */
export function relativeFrame(frame: string, cwd: string): string {
  const path = frame.replace('file://', '');
  return cwd === '' || cwd === '/' ? path : path.replace(`${cwd}/`, '');
}
