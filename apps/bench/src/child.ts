import { spawn } from 'node:child_process';
import fs from 'node:fs';

/** What a command took. */
export interface ChildRun {
  readonly wallMs: number;
  /** Processor time of all its threads; steadier than wall time on a machine that does other things too. */
  readonly cpuMs: number;
  readonly peakMb: number;
}

const CLOCK_TICK_MS = 10;

/** Runs a node program with a file as a pipe on its standard input, its output thrown away. Linux: it reads /proc. */
export async function runChild(args: readonly string[], input?: string): Promise<ChildRun> {
  const startMs = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'inherit'] });
  const usage = { cpuMs: 0, peakMb: 0 };
  const timer = setInterval(() => readUsage(child.pid ?? 0, usage), 5);
  if (input === undefined) child.stdin.end();
  else fs.createReadStream(input, { highWaterMark: 1024 * 1024 }).pipe(child.stdin);
  const code = await new Promise<number | null>((resolve) => {
    child.on('close', resolve);
  });
  clearInterval(timer);
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`);
  return { wallMs: performance.now() - startMs, ...usage };
}

/** The last reading before the process ends stands. */
function readUsage(pid: number, usage: { cpuMs: number; peakMb: number }): void {
  try {
    const peak = /VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    if (peak !== undefined) usage.peakMb = Math.round(Number(peak) / 1024);
    // The program's name stands in brackets and may hold spaces.
    const [, rest = ''] = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
    const fields = rest.split(' ');
    usage.cpuMs = (Number(fields[11]) + Number(fields[12])) * CLOCK_TICK_MS;
  } catch {
    // It has just ended.
  }
}
