/** What decides about colour. */
export interface ColorRequest {
  readonly color: 'auto' | 'always' | 'never';
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether the stream that is written to is a terminal. */
  readonly isTerminal: boolean;
}

/**
 * Decides whether to print colours. The first that speaks wins: the option, `FORCE_COLOR`, `NO_COLOR`, `TERM=dumb`, a stream that is
 * no terminal, CI. An empty variable counts as unset (https://no-color.org).
 */
export function wantsColor({ color, env, isTerminal }: ColorRequest): boolean {
  if (color !== 'auto') return color === 'always';
  const forced = env.FORCE_COLOR;
  if (forced) return forced !== '0' && forced !== 'false';
  if (env.NO_COLOR) return false;
  if (env.TERM === 'dumb') return false;
  if (!isTerminal) return false;
  return !isCi(env);
}

/** Build servers set `CI` to a true value; some only their own variable. */
function isCi(env: ColorRequest['env']): boolean {
  const { CI: ci } = env;
  return (
    (ci !== undefined && ci !== '' && ci !== '0' && ci !== 'false') ||
    Boolean(env.GITHUB_ACTIONS ?? env.TF_BUILD)
  );
}
