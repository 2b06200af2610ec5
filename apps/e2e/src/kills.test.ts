import { FAILPOINTS, type Failpoint } from '@treeline/spool';
import { describe, test } from 'vitest';
import {
  expectNothingLeft,
  expectNothingLost,
  killChain,
  randomKill,
  seededRandom,
  type Chain,
  type Kill,
} from './kill-harness.ts';
import { count, scratchFolder } from './program.ts';

/** A longer search: `KILL_SEED=7 KILL_ROUNDS=10 npx vitest run --project e2e apps/e2e/src/kills.test.ts`. */
const SEED = Number(process.env['KILL_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 1);
/** For a machine that has other work. */
const TIMEOUT_MS = 300_000;

/** For each setting; at least 100 in all. */
const KILLS_PER_CHAIN = 15;

type Setting = Pick<Chain, 'config' | 'recordsPerLogger' | 'atOnce'>;

const STREAMS = [
  { name: 'file', type: 'file', path: 'out.log' },
  { name: 'db', type: 'sqlite', path: 'logs.db' },
];
const DURABLE = { serviceName: 'killed', durability: 'process', streams: STREAMS };

/** One chain of kills each. */
const SETTINGS: Readonly<Record<string, Setting>> = {
  'the defaults': { config: DURABLE },
  'a small window and small segments': {
    config: { ...DURABLE, window: '64K', spool: { segmentBytes: '32K' } },
  },
  'syncs for power loss': {
    config: { ...DURABLE, durability: 'power', spool: { segmentBytes: '64K' } },
  },
  'a pipeline in the process’s own thread': { config: { ...DURABLE, mode: 'in-process' } },
  'loggers that come and go': {
    config: { ...DURABLE, spool: { segmentBytes: '16K' } },
    recordsPerLogger: 400,
  },
  'two processes at a time': { config: DURABLE, atOnce: 2 },
  'a stream that takes nothing before the last start': {
    config: {
      ...DURABLE,
      window: '256K',
      streams: [...STREAMS, { name: 'held', type: 'stuck', path: 'held.log', until: 'release' }],
    },
  },
};

describe.each(count(0, ROUNDS).map((round) => SEED + round))('with seed %d', (seed) => {
  test.concurrent.each(Object.entries(SETTINGS).map(([name, setting], index) => [name, setting, index]))(
    'every line whose call has returned survives SIGKILL at random moments, with %s',
    async (_, setting, index) => {
      using folder = scratchFolder();
      const random = seededRandom(seed * 1000 + index);
      const kills = count(0, KILLS_PER_CHAIN).map(() => randomKill(random));
      await survive({ ...setting, cwd: folder.path, kills });
    },
    TIMEOUT_MS,
  );
});

/** The second time that a process is killed there; places that are come by often are met in the middle of things, too. */
const LATER: Partial<Record<Failpoint, number>> = {
  'append-before': 700,
  'append-torn': 700,
  'append-after': 700,
  'sync-before': 5,
  'sync-after': 5,
  'cursors-before': 3,
  'cursors-torn': 3,
  'cursors-after': 3,
  // Once for each log that is left.
  'adopt-before': 1,
  'adopt-after': 1,
};
/** A log with all that a process can come by: it syncs, rolls, releases, and is removed; some of its records are refused. */
const EVENTFUL: Setting = {
  config: {
    ...DURABLE,
    streams: [...STREAMS, { name: 'picky', type: 'refusing', every: 10 }],
    durability: 'power',
    window: '64K',
    spool: { segmentBytes: '16K' },
  },
  recordsPerLogger: 10_000,
};

test.concurrent.each(FAILPOINTS)(
  'every line whose call has returned survives SIGKILL at the failpoint %s',
  async (failpoint) => {
    using folder = scratchFolder();
    // Each takes over what the one before has left.
    const kills: Kill[] = [
      ...(failpoint.startsWith('adopt') ? [{ after: 'first-line', ms: 50 } as const] : []),
      { failpoint, nth: 1 },
      { failpoint, nth: LATER[failpoint] ?? 2 },
    ];
    await survive({ ...EVENTFUL, cwd: folder.path, kills });
  },
  TIMEOUT_MS,
);

async function survive(chain: Chain): Promise<void> {
  expectNothingLost(await killChain(chain));
  expectNothingLeft(chain);
}
