import fc from 'fast-check';
import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createMemoryStorage } from '../../storage/memory/memory-storage.ts';
import type { CustodyQuery, HqStore } from './store.ts';
import {
  closeStore,
  dataFrame,
  downsampledFrame,
  EPOCH,
  gapFrame,
  openStore,
  START,
  schema,
  testClock,
} from './testing/frames.ts';
import { ledgerOf } from './testing/read.ts';

const STEP_MS = 10_000;
const ALL = { asOf: Number.POSITIVE_INFINITY, withinMs: 5_000 };

/** Of a1, by steps of ten seconds from START on. */
async function custody(store: HqStore, query: Partial<CustodyQuery> = {}) {
  const table = await firstValueFrom(
    store.custody({
      ...{ from: START, to: START + 40_000, stepMs: STEP_MS, rows: 1, agents: [{ agent: 'a1', row: 0 }] },
      ...ALL,
      ...query,
    }),
  );
  const { length, ...counts } = table;
  return Object.fromEntries(Object.entries(counts).map(([name, cells]) => [name, [...cells]]));
}

async function opened(now = START + 35_000): Promise<HqStore> {
  const store = await openStore(createMemoryStorage(), { clock: testClock(now) });
  await firstValueFrom(store.putSchema('a1', schema));
  return store;
}

describe('custody', () => {
  it('tells by the time of samples what is stored, and what of it came in time', async () => {
    const store = await opened();
    // Seqs are seconds: 1 … 12 came at once, 13 … 14 late, 15 … 25 together, when the last of them was in time.
    await firstValueFrom(
      store.append([
        dataFrame(1, 12, { arrivalTs: START + 4_000 }),
        dataFrame(13, 14, { arrivalTs: START + 60_000 }),
        dataFrame(15, 25, { arrivalTs: START + 25_000 }),
      ]),
    );
    const none = [0, 0, 0, 0];
    expect(await custody(store)).toEqual({
      ...{ stored: [9, 10, 6, 0], onTime: [9, 3, 6, 0] },
      ...{ thinned: none, dropped: none, pending: none },
    });
    expect(await custody(store, { asOf: START + 30_000 })).toMatchObject({
      ...{ stored: [9, 8, 6, 0], pending: [0, 2, 0, 0] },
    });
    expect(await custody(store, { from: START + 10_000, to: START + 20_000, stepMs: 10_000 })).toMatchObject({
      stored: [10],
    });
    await closeStore(store);
  });

  it('spreads what never came over the time in which it lies, and adds up to the ledger', async () => {
    const store = await opened();
    await firstValueFrom(
      store.append([
        dataFrame(1, 5),
        gapFrame(6, 14, 'overflow_oldest'),
        downsampledFrame(15, 24, { window: 4 }),
        dataFrame(28, 29),
      ]),
    );
    await firstValueFrom(
      store.noteEpoch({ agent: 'a1', epoch: EPOCH, sampled: 34, released: 0, ts: START + 34_000 }),
    );
    const found = await custody(store);
    expect(found).toMatchObject({ stored: [5, 0, 2, 0], dropped: [4, 5, 0, 0] });
    const sum = (cells: readonly number[] = []) => cells.reduce((all, one) => all + one, 0);
    const [ledger] = await ledgerOf(store, 'a1');
    expect({
      sampled: Object.entries(found).reduce(
        (all, [name, cells]) => all + (name === 'onTime' ? 0 : sum(cells)),
        0,
      ),
      ...{ stored: sum(found.stored), thinned: sum(found.thinned), pending: sum(found.pending) },
    }).toEqual({ sampled: 34, stored: 7, thinned: 10, pending: ledger?.pending });
    // 25 … 27 lie between what is around them, 30 … 34 between the last that came and now.
    expect(found.pending).toEqual([0, 0, 3, 5]);
    await closeStore(store);
  });

  it('counts each sample once, in whatever pieces and whenever it comes', async () => {
    const pieces = fc.uniqueArray(fc.integer({ min: 1, max: 38 }), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(pieces, fc.array(fc.nat(60)), fc.boolean(), async (cuts, delays, isReversed) => {
        const store = await opened();
        const ends = [...cuts, 39].sort((one, other) => one - other);
        const frames = ends.map((last, index) =>
          dataFrame((ends[index - 1] ?? 0) + 1, last, {
            arrivalTs: START + last * 1000 + (delays[index] ?? 0) * 1000,
          }),
        );
        await firstValueFrom(store.append(isReversed ? frames.toReversed() : frames));
        await firstValueFrom(store.append(frames));
        const onTime = [0, 0, 0, 0];
        ends.forEach((last, index) => {
          for (let seq = (ends[index - 1] ?? 0) + 1; seq <= last; seq += 1)
            if (last + (delays[index] ?? 0) - seq <= 5)
              onTime[Math.floor(seq / 10)] = (onTime[Math.floor(seq / 10)] ?? 0) + 1;
        });
        expect(await custody(store)).toMatchObject({ stored: [9, 10, 10, 10], onTime });
        await closeStore(store);
      }),
      { numRuns: 30 },
    );
  });
});
