import { concat, firstValueFrom, ignoreElements, throwError, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { keyText } from '../../storage/key-text.ts';
import { createMemoryDisk, createMemoryStorage } from '../../storage/memory/memory-storage.ts';
import { StorageError } from '../../storage/storage.ts';
import { epochKey, META_KEY } from './keys.ts';
import { describeHqStoreContract } from './store.contract.ts';
import { closeStore, dataFrame, EPOCH, gapFrame, openStore, START, testClock } from './testing/frames.ts';
import { allSeqs, coverageOf, ledgerOf, numbers } from './testing/read.ts';
import { KINDS, useStore } from './testing/use-store.ts';

for (const kind of KINDS) describeHqStoreContract(`the store over ${kind}`, () => useStore(kind));

describe('HQ store when its storage fails', () => {
  it('acks nothing of a failed commit and stores its frames when they come again', async () => {
    const disk = createMemoryDisk();
    let fail = false;
    const refuseCommit = () => (fail ? new StorageError('io', 'disk gone') : null);
    const store = await openStore(createMemoryStorage({ disk, refuseCommit }));
    await firstValueFrom(store.append([dataFrame(1, 5)]));
    fail = true;
    await expect(firstValueFrom(store.append([dataFrame(6, 10)]))).rejects.toThrow('disk gone');
    expect(await coverageOf(store)).toEqual({ contiguous: 5, ranges: [] });
    fail = false;
    const [outcome] = await firstValueFrom(store.append([dataFrame(6, 10)]));
    expect(outcome).toMatchObject({ stored: 5, duplicates: 0, coverage: { contiguous: 10, ranges: [] } });
    await closeStore(store);
  });

  it('rebuilds the ledger of an epoch whose state is damaged', async () => {
    const disk = createMemoryDisk();
    const first = await openStore(createMemoryStorage({ disk }));
    await firstValueFrom(
      first.append([dataFrame(1, 100), gapFrame(101, 110, 'damaged'), dataFrame(121, 130)]),
    );
    const ledger = await ledgerOf(first);
    await closeStore(first);
    expect(disk.records.delete(keyText(epochKey('a1', EPOCH)))).toBe(true);
    disk.orderedKeys = null;
    const second = await openStore(createMemoryStorage({ disk }));
    expect(await ledgerOf(second)).toEqual(ledger);
    expect((await firstValueFrom(second.append([dataFrame(1, 130)])))[0]).toMatchObject({ stored: 10 });
    await closeStore(second);
  });
});

describe('what HQ keeps in memory', () => {
  it('follows a commit that got through although it was said to have failed', async () => {
    const storage = createMemoryStorage();
    let deceives = false;
    const store = await openStore({
      ...storage,
      commit: (work) => {
        const done = storage.commit(work);
        return deceives
          ? concat(
              done.pipe(ignoreElements()),
              throwError(() => new StorageError('io', 'who knows')),
            )
          : done;
      },
    });
    deceives = true;
    await expect(firstValueFrom(store.append([dataFrame(1, 10)]))).rejects.toThrow('who knows');
    deceives = false;
    expect(await coverageOf(store)).toEqual({ contiguous: 0, ranges: [] });
    const [outcome] = await firstValueFrom(store.append([dataFrame(1, 10)]));
    expect(outcome).toMatchObject({ stored: 0, duplicates: 10, coverage: { contiguous: 10 } });
    expect(await coverageOf(store)).toEqual({ contiguous: 10, ranges: [] });
    expect(await ledgerOf(store)).toMatchObject([{ sampled: 10, stored: 10, pending: 0 }]);
    expect(await firstValueFrom(store.agents())).toMatchObject([{ agent: 'a1' }]);
    await closeStore(store);
  });

  it('follows a commit that nobody waited for any more', async () => {
    const clock = testClock();
    const store = await openStore(createMemoryStorage({ commitDelayMs: 20, scheduler: clock.scheduler }));
    store
      .append([dataFrame(1, 10)])
      .subscribe()
      .unsubscribe();
    await firstValueFrom(timer(60));
    expect(await ledgerOf(store)).toMatchObject([{ sampled: 10, stored: 10, pending: 0 }]);
    await closeStore(store);
  });

  it('numbers new frames behind the old ones when the store has lost its own record', async () => {
    const disk = createMemoryDisk();
    const clock = testClock(START + 1_000_000);
    const first = await openStore(createMemoryStorage({ disk }), { clock });
    await firstValueFrom(first.append([dataFrame(1, 10, { arrivalTs: START })]));
    await closeStore(first);
    expect(disk.records.delete(keyText(META_KEY))).toBe(true);
    disk.orderedKeys = null;
    const removed: number[] = [];
    const second = await openStore(createMemoryStorage({ disk }), {
      clock,
      maxAgeMs: 500_000,
      emit: (event) => {
        if (event.type === 'store_retention_removed') removed.push(event.samples);
      },
    });
    await firstValueFrom(second.append([dataFrame(11, 20, { arrivalTs: START + 900_000 })]));
    await eventually(() => expect(removed).toEqual([10]));
    expect(await allSeqs(second)).toEqual(numbers(11, 20));
    await closeStore(second);
  });
});
