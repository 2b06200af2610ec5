import { createBatch } from '@treeline/contract';
import { createPrinter } from '@treeline/pretty';

/** Prints lines for people, in the shape and the colours that suit standard output. Dates are shown: a store holds many days. */
export function* prettyTexts(lines: Iterable<string>, { utc }: { readonly utc: boolean }): Generator<string> {
  const printer = createPrinter(
    { time: 'iso', utc },
    {
      env: process.env,
      isTerminal: process.stdout.isTTY,
      columns: process.stdout.columns,
      cwd: process.cwd(),
    },
  );
  for (const line of lines) yield printer.write(createBatch(Buffer.from(`${line}\n`)));
  yield printer.end();
}
