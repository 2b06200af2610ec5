import { watchTerminal } from '@treeline/core';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The first signal that asks the process to end; a second one ends it at once. */
export interface EndSignal {
  /** Undefined until it comes. */
  readonly received: NodeJS.Signals | undefined;
  /** Resolves when it comes. */
  readonly arrived: Promise<void>;
  /** Ends the process by the signal, as it would have ended without us, so that shells and supervisors see why. */
  raise(): void;
  /** Lets signals end the process again by themselves. */
  release(): void;
}

/**
 * Takes over the signals that end a process, so that it can drain first. With `survivesHangUp` a SIGHUP that no closed terminal has sent
 * is none of them: it makes a pipeline open its files anew.
 */
export function awaitEndSignal({ survivesHangUp = false } = {}): EndSignal {
  let received: NodeJS.Signals | undefined;
  let arrive = (): void => undefined;
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const raise = (signal: NodeJS.Signals): void => {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  };
  const isTerminalGone = survivesHangUp ? watchTerminal() : () => true;
  const receive = (signal: NodeJS.Signals): void => {
    if (signal === 'SIGHUP' && !isTerminalGone()) return;
    if (received) raise(signal);
    received = signal;
    arrive();
  };
  for (const signal of SIGNALS) process.on(signal, receive);
  return {
    get received() {
      return received;
    },
    arrived,
    raise() {
      if (received) raise(received);
    },
    release() {
      for (const signal of SIGNALS) process.off(signal, receive);
    },
  };
}
