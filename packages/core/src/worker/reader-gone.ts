import type { Sink, SinkEvent } from '@treeline/contract';

/**
 * A console whose reader has gone (`| head`) never gets another one. Its lines are refused from then on, instead of being offered for
 * ever: that would hold back the log, and with it the other streams.
 */
export function refuseWithoutReader(sink: Sink, report: (event: SinkEvent) => void): Sink {
  let isGone = false;
  return {
    async write(batch) {
      if (!isGone) {
        try {
          return await sink.write(batch);
        } catch (error) {
          if (!isBrokenPipe(error)) throw error;
          isGone = true;
          report({ type: 'down', reason: 'its reader has closed the pipe: what comes is not printed' });
        }
      }
      return {
        dead: Array.from(batch.ends, (_, index) => ({ index, reason: 'the reader has closed the pipe' })),
      };
    },
    flush: () => (isGone ? Promise.resolve() : sink.flush()),
    close: () =>
      sink.close().catch((error: unknown) => {
        if (!isBrokenPipe(error)) throw error;
      }),
  };
}

function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}
