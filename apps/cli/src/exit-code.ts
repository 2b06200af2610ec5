import type { ErrorCode } from '@treeline/contract';

/** What the command's exit codes mean; those above 60 are of sysexits.h. */
export const EXIT = {
  ok: 0,
  /** Something went wrong, or nothing matched where `--exit-code` asks. */
  failed: 1,
  /** A wrong option, argument or query. */
  usage: 2,
  /** A config or store that is missing or can't be read. */
  noInput: 66,
  /** Someone else is at it: try again later. */
  tryLater: 75,
  /** A config with mistakes. */
  config: 78,
} as const;

const EXIT_BY_ERROR: { readonly [code in ErrorCode]?: number } = {
  CONFIG_INVALID: EXIT.config,
  CONFIG_UNREADABLE: EXIT.noInput,
  TRANSPORT_MISSING: EXIT.config,
  DESTINATION_UNUSABLE: EXIT.noInput,
  STORE_MISSING: EXIT.noInput,
  STORE_UNUSABLE: EXIT.noInput,
  STORE_CORRUPT: EXIT.noInput,
  QUERY_INVALID: EXIT.usage,
  LEASE_HELD: EXIT.tryLater,
  ARCHIVE_MISSING: EXIT.noInput,
  ARCHIVE_UNUSABLE: EXIT.noInput,
};

/** A failure that ends the command with a message for people and an exit code. */
export class CommandFailure extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The exit code for whatever was thrown. Known by their code, TreelineErrors need no import where nothing is thrown. */
export function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof CommandFailure) return thrown.exitCode;
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
  return (EXIT_BY_ERROR as Readonly<Record<string, number>>)[code] ?? EXIT.failed;
}
