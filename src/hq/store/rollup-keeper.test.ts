import fc from 'fast-check';
import { firstValueFrom, NEVER } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/long.ts';
import { BUCKET_STATISTICS, type Bucket } from '../../protocol/bucket.ts';
import {
  createMemoryDisk,
  createMemoryStorage,
  type MemoryDisk,
} from '../../storage/memory/memory-storage.ts';
import { StorageError } from '../../storage/storage.ts';
import { appendFrame } from './append-frame.ts';
import { createTally } from './bucket-tally.ts';
import { commitCompaction, planCompaction } from './compaction.ts';
import { agentRange, entryRange } from './keys.ts';
import { loadView } from './load-view.ts';
import { createLogKeeper } from './log-keeper.ts';
import { queryBuckets } from './query-buckets.ts';
import { createRollupKeeper } from './rollup-keeper.ts';
import { countRollups, splitRange } from './rollup-reader.ts';
import { createSchemaCatalogue } from './schema-catalogue.ts';
import type { AgentFrame, TimeRange } from './store.ts';
import { dataFrame, downsampledFrame, EPOCH, gapFrame, START, schema, testClock } from './testing/frames.ts';
import { rowOf } from './testing/read.ts';
import { createTransactions } from './transactions.ts';

const AGENT = 'a1';
const HOUR_MS = 3_600_000;

function drain<T>(steps: Generator<void, T>, between: () => void = () => {}): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    between();
  }
}

/** A store of which each step is taken by hand, and each commit may fail. */
function opened(disk: MemoryDisk, maxLag = 1_000_000) {
  let fails = false;
  let now = 0;
  const refuseCommit = () => (fails ? new StorageError('io', 'no') : null);
  const storage = createMemoryStorage({ disk, refuseCommit });
  const transactions = createTransactions(storage, loadView, () => 0);
  const { durable } = transactions;
  const context = {
    storage,
    tail: (agent: string) => durable.tails.get(agent) ?? [],
    schemas: createSchemaCatalogue(storage),
    maxAheadMs: Number.POSITIVE_INFINITY,
    onBadFrame: (_agent: string, _epoch: string, _seq: number, error: unknown) => expect.fail(String(error)),
  };
  context.schemas.learn(AGENT, schema);
  const common = {
    storage,
    transactions,
    context,
    clock: { ...testClock(), precise: () => now },
    backpressure: {
      counted:
        <T>() =>
        (source: T) =>
          source,
      high: () => false,
      pauseMs: () => 0,
    } as never,
    emit: () => {},
  };
  const onError = (error: unknown) => expect.fail(String(error));
  const rollups = createRollupKeeper({ ...common, appended$: NEVER, isKept: () => true, maxLag, onError });
  const keeper = createLogKeeper({ ...common, readTo: rollups.rolledTo });
  const fail = async (work: () => Promise<unknown>) => {
    fails = true;
    await work().catch(() => {});
    fails = false;
  };
  const untilDone = async (step: () => Promise<boolean>) => {
    while (await step()) {}
  };
  const roll = () => firstValueFrom(rollups.roll({ waitedTo: Number.POSITIVE_INFINITY }));
  const file = () => firstValueFrom(keeper.file({ arrivedBefore: Number.POSITIVE_INFINITY }));
  const compact = async () => {
    if (!durable.epochs.has(AGENT)) return;
    const scope = { agent: AGENT, epoch: EPOCH, fromSeq: 1, toLogNumber: rollups.rolledTo() };
    const plan = drain(planCompaction(storage, { ...scope, onBadRun: () => expect.fail('bad run') }));
    await firstValueFrom(
      transactions.run((transaction) => commitCompaction(transaction, AGENT, EPOCH, plan)),
    );
  };
  return {
    disk,
    storage,
    durable,
    context,
    rolled: {
      storage,
      unrolled: (agent: string) => durable.unrolled.get(agent) ?? [],
      keptFrom: () => Number.NEGATIVE_INFINITY,
    },
    rollups,
    fail,
    roll,
    rollAll: () => untilDone(roll),
    file,
    fileAll: () => untilDone(file),
    trim: () => {
      now += 10_000;
      return firstValueFrom(keeper.save());
    },
    compact,
    append: (frames: readonly AgentFrame[]) =>
      firstValueFrom(
        transactions.run((transaction) => frames.map((frame) => appendFrame(transaction, frame))),
      ),
    forget: () =>
      firstValueFrom(
        storage.commit((writer) => {
          for (const key of writer.keys({ ...agentRange('U', AGENT), limit: 100_000 })) writer.remove(key);
        }),
      ),
  };
}
type Opened = ReturnType<typeof opened>;

/** What a process that is killed now leaves behind. */
const killed = ({ disk }: Opened, maxLag?: number): Opened =>
  opened({ ...disk, records: new Map(disk.records), orderedKeys: null }, maxLag);

type Query = TimeRange & { readonly stepMs: number };

const ALL = new Set(BUCKET_STATISTICS);

/** What the two series of the agent say, from rollups where these fit, or from raw samples alone. */
function answers({ context, rolled }: Opened, query: Query, from: 'rollups' | 'raw', between?: () => void) {
  const series = ['1', '2'].map((sensor, row) => ({
    agent: AGENT,
    source: 'sim',
    series: `sensor.value{sensor=${sensor}}`,
    row,
  }));
  const own = from === 'raw' ? context : { ...context, rollups: rolled };
  const table = drain(
    queryBuckets(own, { ...query, series, rows: 2, percentiles: query.stepMs >= 60_000 }),
    between,
  );
  return [0, 1].flatMap((row) => rowOf(table, row, ALL));
}

function expectSame(rolled: readonly Bucket[], raw: readonly Bucket[]) {
  expect(rolled).toHaveLength(raw.length);
  for (const [index, one] of raw.entries()) {
    const { mean, stddev, ...exact } = one;
    const { mean: rolledMean, stddev: rolledStddev, ...rest } = rolled[index] as Bucket;
    expect(rest).toEqual(exact);
    for (const [actual, expected] of [
      [rolledMean, mean],
      [rolledStddev, stddev],
    ] as const) {
      if (typeof expected !== 'number') expect(actual).toBe(expected);
      else expect(Math.abs(Number(actual) - expected)).toBeLessThanOrEqual(1e-12 * Math.abs(expected));
    }
  }
}

const FROM = Math.floor(START / HOUR_MS) * HOUR_MS;
const QUERIES: readonly Query[] = [
  { from: FROM, to: FROM + 2 * HOUR_MS, stepMs: 30_000 },
  { from: FROM, to: FROM + 2 * HOUR_MS, stepMs: 120_000 },
  { from: FROM, to: FROM + HOUR_MS + 12_345, stepMs: 600_000 },
  { from: FROM + 10_000, to: FROM + 1_234_567, stepMs: 60_000 },
  { from: FROM + 1, to: FROM + 600_001, stepMs: 100_000 },
  { from: FROM - 24 * HOUR_MS, to: FROM + 48 * HOUR_MS, stepMs: 2 * HOUR_MS },
  { from: FROM - 24 * HOUR_MS, to: FROM + 47 * HOUR_MS + 61_001, stepMs: 24 * HOUR_MS },
];

function expectRight(store: Opened, queries = QUERIES) {
  for (const query of queries) expectSame(answers(store, query, 'rollups'), answers(store, query, 'raw'));
}

/** Samples that only rollups can have told of. */
function rolledSamples(store: Opened): number {
  const steps = countRollups(store.rolled, {
    agent: AGENT,
    refs: [schema.ref],
    columnsOf: () => [{ position: 0, first: 0 }],
    spans: splitRange(store.rolled, { ...EVER, stepMs: EVER.to, percentiles: false }).spans,
    from: EVER.from,
    stepMs: EVER.to,
    createTally: () => createTally({ rows: 1, length: 1, percentiles: false }),
    *countFrame() {},
  });
  return drain(steps)?.statistics.counts[0] ?? 0;
}
const EVER = { from: 0, to: 60_000 * 86_400_000 };

type Step =
  | { readonly kind: 'append'; readonly frames: readonly { first: number; size: number; thinned: boolean }[] }
  | {
      readonly kind:
        | 'roll'
        | 'file'
        | 'trim'
        | 'compact'
        | 'kill'
        | 'forget'
        | 'failed roll'
        | 'failed append';
    };

const frameArb = fc.record({
  first: fc.integer({ min: 1, max: 4_000 }),
  size: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 200, max: 400 })),
  thinned: fc.oneof(
    { weight: 5, arbitrary: fc.constant(false) },
    { weight: 1, arbitrary: fc.constant(true) },
  ),
});
const stepArb: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      frames: fc.array(frameArb, { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'roll',
        'roll',
        'file',
        'trim',
        'compact',
        'kill',
        'forget',
        'failed roll',
        'failed append',
      ),
    }) as fc.Arbitrary<Step>,
  },
);

const framesOf = (
  frames: readonly { first: number; size: number; thinned: boolean }[],
): readonly AgentFrame[] =>
  frames.map(({ first, size, thinned }) =>
    thinned ? downsampledFrame(first, first + size, { window: 8 }) : dataFrame(first, first + size - 1),
  );

async function take(store: Opened, step: Step, maxLag: number): Promise<Opened> {
  if (step.kind === 'append') await store.append(framesOf(step.frames));
  else if (step.kind === 'failed append')
    await store.fail(() => store.append([dataFrame(5_000, 5_010), gapFrame(5_011, 5_020, 'damaged')]));
  else if (step.kind === 'failed roll') await store.fail(store.roll);
  else if (step.kind === 'kill') return killed(store, maxLag);
  else if (step.kind === 'forget') {
    await store.forget();
    return killed(store, maxLag);
  } else await store[step.kind]();
  return store;
}

describe('the keeper of rollups', () => {
  it('counts each sample once, whatever comes, fails, lags, is killed or made again', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(stepArb, { minLength: 5, maxLength: 40 }),
        fc.constantFrom(2, 10, 1_000_000),
        async (steps, maxLag) => {
          let store = opened(createMemoryDisk(), maxLag);
          for (const [index, step] of steps.entries()) {
            store = await take(store, step, maxLag);
            expectRight(store, QUERIES.slice(index % QUERIES.length).slice(0, 1));
          }
          await store.fileAll();
          await store.rollAll();
          expect(store.rollups.waiting()).toEqual({ entries: 0, incomplete: 0 });
          expectRight(store);
          const [one] = answers(store, { ...EVER, stepMs: EVER.to }, 'raw');
          expect(rolledSamples(store)).toBe(one?.count);
        },
      ),
      { numRuns: sized(40, 600) },
    );
  });

  it('keeps entries in the log until it has them, and no longer', async () => {
    const store = opened(createMemoryDisk());
    await store.append([dataFrame(1, 10), dataFrame(11, 400)]);
    await store.fileAll();
    await store.trim();
    const inLog = () => store.storage.read((reader) => reader.keys({ ...entryRange(0), limit: 100 })).length;
    expect(inLog()).toBe(2);
    await store.rollAll();
    await store.trim();
    await store.trim();
    expect(inLog()).toBe(0);
  });

  it('lets entries go that are in the index where too many wait, and reads them from there', async () => {
    const store = opened(createMemoryDisk(), 4);
    await store.append(Array.from({ length: 20 }, (_, index) => dataFrame(index * 10 + 1, index * 10 + 10)));
    await store.fileAll();
    await store.roll();
    expect(store.rollups.waiting()).toEqual({ entries: 4, incomplete: 1 });
    expectRight(store);
    expect(rolledSamples(store)).toBe(0);
    await store.rollAll();
    expectRight(store);
    expect(rolledSamples(store)).toBe(200);
  });

  it('answers right while it goes on', async () => {
    const store = opened(createMemoryDisk());
    const query = QUERIES[0] as Query;
    await store.append(Array.from({ length: 30 }, (_, index) => dataFrame(index * 20 + 1, index * 20 + 20)));
    await store.rollAll();
    await store.append(
      Array.from({ length: 30 }, (_, index) => dataFrame(index * 20 + 1_001, index * 20 + 1_020)),
    );
    const raw = answers(store, query, 'raw');
    let rolling: Promise<unknown> | null = null;
    const rolled = answers(store, query, 'rollups', () => {
      rolling ??= store.rollAll();
    });
    await rolling;
    expectSame(rolled, raw);
    expectSame(answers(store, query, 'rollups'), raw);
  });
});
