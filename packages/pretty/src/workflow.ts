/**
 * What a GitHub workflow takes for commands, and how trees are folded there:
 * https://docs.github.com/actions/reference/workflow-commands-for-github-actions
 */

/** `::name::` at the beginning of a line, spaces before it passed over; the older `##[name]` anywhere. */
const COMMAND = /^([^\S\r\n]*):(?=:)|##(?=\[)/gm;

/** Shows what would be obeyed as text, escaped as control characters are. */
export function escapeCommands(lines: string): string {
  return lines.replace(COMMAND, (found: string, space?: string) =>
    found === '##' ? '\\x23#' : `${space}\\x3a`,
  );
}

/** Folds lines away under a title. */
export function foldedGroup(title: string, lines: string): string {
  // A percent sign begins an escape there.
  return `::group::${title.replaceAll('%', '%25')}\n${lines}::endgroup::\n`;
}
