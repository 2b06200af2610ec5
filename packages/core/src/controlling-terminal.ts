import fs from 'node:fs';

/**
 * Tells the two meanings of SIGHUP apart: a terminal that closes sends it to end its programs, logrotate and people send it to make a
 * service open its files anew.
 *
 * @returns a function that tells whether the terminal that this process has now is gone. On Windows the signal has the first meaning only.
 */
export function watchTerminal(): () => boolean {
  const had = hasTerminal();
  return () => process.platform === 'win32' || (had && !hasTerminal());
}

/** The kernel takes the terminal from all its processes before it sends them the signal: https://man7.org/linux/man-pages/man4/tty.4.html */
function hasTerminal(): boolean {
  const { O_RDONLY, O_NOCTTY, O_NONBLOCK } = fs.constants;
  try {
    fs.closeSync(fs.openSync('/dev/tty', O_RDONLY | O_NOCTTY | O_NONBLOCK));
    return true;
  } catch {
    return false;
  }
}
