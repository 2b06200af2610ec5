import os from 'node:os';

/** Names the machine and the moment, without which figures mean nothing. */
export function printHeader(question: string): void {
  const [cpu] = os.cpus();
  const load = os.loadavg().map((each) => each.toFixed(1));
  console.log(`# ${question}\n`);
  console.log(
    `${new Date().toISOString()}, Node ${process.version}, ${os.cpus().length} × ${cpu?.model ?? 'unknown'}, load ${load.join(' ')}\n`,
  );
}

export function printTable(rows: readonly Readonly<Record<string, string | number>>[]): void {
  const columns = Object.keys(rows[0] ?? {});
  console.log(`| ${columns.join(' | ')} |\n|${columns.map(() => '---').join('|')}|`);
  for (const row of rows) console.log(`| ${columns.map((column) => row[column] ?? '').join(' | ')} |`);
  console.log();
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** By nearest rank. */
export function percentile(values: readonly number[], rank: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((rank / 100) * sorted.length) - 1)] ?? Number.NaN;
}

export function formatRate(count: number, ms: number): string {
  return Math.round((count / ms) * 1000).toLocaleString('en');
}

/** A number from the command line: `--rows 5000000`. */
export function numberArgument(name: string, otherwise: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
}

export function textArgument(name: string): string | undefined {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
}
