import { deliveryCases } from './cases/delivery.ts';
import { faultCases } from './cases/faults.ts';
import { lifetimeCases } from './cases/lifetime.ts';
import { pinoTargetCases } from './cases/pino-target.ts';
import { subjectOf, type CaseTable, type Check, type Hook, type TransportUnderTest } from './subject.ts';

/** One property that every transport must have. */
export interface TransportCase {
  readonly name: string;
  /** Rejects with an AssertionError where the transport lacks the property. */
  readonly run: () => Promise<void>;
}

/** A case that can't be run, and what `TransportUnderTest` would have to offer for it. */
export interface SkippedCase {
  readonly name: string;
  readonly needs: Hook;
}

const TABLES: readonly CaseTable[] = [deliveryCases, lifetimeCases, pinoTargetCases, faultCases];

/**
 * The cases that every transport passes, ours and other people's, for any test runner:
 * `for (const { name, run } of testTransport(under)) test(name, run);`
 *
 * Cases that need the destination to fail, to stall or to refuse are among them where `under` offers the hook; `skippedCases` names
 * the others. One case of those that `break` adds takes some 9 s: it waits for the deadline of a transport that can't deliver.
 */
export function testTransport<Options>(under: TransportUnderTest<Options>): TransportCase[] {
  return everyCase()
    .filter(({ needs }) => !needs || offers(under, needs))
    .map(({ name, check }) => ({ name, run: () => check(subjectOf(under)) }));
}

/** The cases that `testTransport` leaves out, so that a test can state which, and none is left out unseen. */
export function skippedCases<Options>(under: TransportUnderTest<Options>): SkippedCase[] {
  return everyCase().flatMap(({ name, needs }) => (needs && !offers(under, needs) ? [{ name, needs }] : []));
}

interface Entry {
  readonly name: string;
  readonly needs?: Hook;
  readonly check: Check;
}

function everyCase(): Entry[] {
  return TABLES.flatMap((table) =>
    Object.entries(table).map(([name, entry]) =>
      typeof entry === 'function' ? { name, check: entry } : { name, ...entry },
    ),
  );
}

function offers<Options>(under: TransportUnderTest<Options>, hook: Hook): boolean {
  return hook === 'options schema' ? under.transport.definition.options !== undefined : Boolean(under[hook]);
}
