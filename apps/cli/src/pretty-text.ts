import { createBatch, parseOptions } from '@treeline/contract';
import pretty, { createPrinter, resolveOptions } from '@treeline/pretty';

/** Prints lines for people, in the shape and the colours that suit standard output. Dates are shown: a store holds many days. */
export async function prettyTexts(
  lines: Iterable<string>,
  { utc }: { readonly utc: boolean },
): Promise<Iterable<string>> {
  const options = await parseOptions(pretty.definition, { utc, time: 'iso' });
  const printer = createPrinter(
    resolveOptions(options, { env: process.env, isTerminal: process.stdout.isTTY }),
  );
  return (function* texts() {
    for (const line of lines) yield printer.write(createBatch(Buffer.from(`${line}\n`)));
    yield printer.end();
  })();
}
