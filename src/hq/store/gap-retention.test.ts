import { firstValueFrom } from 'rxjs';
import { expect, it } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { createMemoryDisk, createMemoryStorage } from '../../storage/memory/memory-storage.ts';
import { createGapSweep } from './gap-retention.ts';
import type { HqStoreOptions } from './open-hq-store.ts';
import type { HqStore } from './store.ts';
import { closeStore, dataFrame, gapFrame, openStore, START, testClock } from './testing/frames.ts';
import { ledgerOf } from './testing/read.ts';

const REASONS = ['damaged', 'rejected'] as const;

/** 1,200 gaps of a second each, every second one for another reason, so that none touches its like. */
const gapFrames = () =>
  Array.from({ length: 1_200 }, (_, at) => gapFrame(at + 1, at + 1, REASONS[at % 2] ?? 'damaged'));

async function storeWithGaps(options: Partial<HqStoreOptions>): Promise<HqStore> {
  const disk = createMemoryDisk();
  const store = await openStore(createMemoryStorage({ disk }));
  await firstValueFrom(store.append(gapFrames()));
  await closeStore(store);
  // At the start of a store all are looked at.
  return openStore(createMemoryStorage({ disk }), options);
}

const gapsOf = async (store: HqStore) =>
  (await ledgerOf(store))[0]?.gaps.map(({ firstSeq }) => firstSeq) ?? [];

it('removes gaps that ended too long ago, and keeps what the ledger came to', async () => {
  // Of 1,200 s of gaps, the first 700 ended more than 500 s ago.
  const clock = testClock(START + 1_201_000);
  let removed = 0;
  const store = await storeWithGaps({
    clock,
    maxAgeMs: 500_000,
    emit: (event) => {
      if (event.type === 'store_gaps_removed') removed += event.gaps;
    },
  });
  await eventually(() => expect(removed).toBe(700));
  const kept = await gapsOf(store);
  expect([kept[0], kept.at(-1), kept.length]).toEqual([701, 1_200, 500]);
  expect(await ledgerOf(store)).toMatchObject([
    { sampled: 1_200, pending: 0, dropped: { damaged: 600, rejected: 600 } },
  ]);
  // What was dropped stays so.
  await firstValueFrom(store.append([dataFrame(1, 10)]));
  expect(await ledgerOf(store)).toMatchObject([{ sampled: 1_200, stored: 0 }]);
  await closeStore(store);
});

it('removes all gaps where the store is too large and holds nothing else', async () => {
  const store = await storeWithGaps({
    clock: testClock(START + 1_201_000),
    maxBytes: 10_000,
  });
  await eventually(async () => expect(await gapsOf(store)).toEqual([]));
  expect(await ledgerOf(store)).toMatchObject([{ dropped: { damaged: 600, rejected: 600 } }]);
  await closeStore(store);
});

it('keeps, where the store is too large, gaps beside frames that are left', async () => {
  const storage = createMemoryStorage();
  const store = await openStore(storage);
  await firstValueFrom(store.append(gapFrames()));
  await firstValueFrom(store.append([dataFrame(2_001, 2_010, { arrivalTs: START + 900_000 })]));
  const sweep = createGapSweep(storage, testClock());
  const limits = { cutoff: Number.NEGATIVE_INFINITY, isFull: true };
  const passes = [sweep.next(limits), sweep.next(limits), sweep.next(limits)];
  expect(passes.map((pass) => pass?.keys.length)).toEqual([512, 387, 0]);
  expect(sweep.next(limits), 'not at once again').toBeNull();
  await closeStore(store);
});
