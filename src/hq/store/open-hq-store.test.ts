import { concat, firstValueFrom, ignoreElements, throwError, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { internSchema } from '../../protocol/schema-ref.ts';
import { keyText } from '../../storage/key-text.ts';
import { createMemoryDisk, createMemoryStorage } from '../../storage/memory/memory-storage.ts';
import { StorageError } from '../../storage/storage.ts';
import { epochKey, META_KEY } from './keys.ts';
import {
  closeStore,
  dataFrame,
  EPOCH,
  gapFrame,
  openStore,
  START,
  schema,
  testClock,
} from './testing/frames.ts';
import { allSeqs, coverageOf, ledgerOf, numbers, numbersOf } from './testing/read.ts';
import { KINDS, useStore } from './testing/use-store.ts';

describe.each(KINDS)('HQ store over %s', (kind) => {
  const at = useStore(kind);

  it('stores overlapping and repeated frames once each and shows every sample once', async () => {
    const outcomes = await at.append(dataFrame(1, 10), dataFrame(5, 15), dataFrame(1, 15), dataFrame(21, 25));
    expect(outcomes.map(({ stored, duplicates }) => [stored, duplicates])).toEqual([
      [10, 0],
      [5, 6],
      [0, 15],
      [5, 0],
    ]);
    expect(outcomes[3]).toMatchObject({ coverage: { contiguous: 15, ranges: [[21, 25]] } });
    const [filling] = await at.append(dataFrame(14, 30));
    expect(filling).toMatchObject({ stored: 10, duplicates: 7, coverage: { contiguous: 30, ranges: [] } });
    expect(await allSeqs(at.store)).toEqual(numbers(1, 30));
  });

  it('keeps frames, coverage and ledger over a restart', async () => {
    await at.append(dataFrame(1, 10), gapFrame(11, 20, 'overflow_oldest'), dataFrame(31, 40));
    at.store.observeSampled('a1', EPOCH, 50);
    await at.append(dataFrame(41, 41));
    const before = await ledgerOf(at.store);
    await at.reopen();
    expect(await ledgerOf(at.store)).toEqual(before);
    expect(before).toMatchObject([
      {
        epoch: EPOCH,
        sampled: 50,
        stored: 21,
        pending: 19,
        dropped: { overflow_oldest: 10 },
        contiguous: 20,
      },
    ]);
    expect((await at.append(dataFrame(1, 41)))[0]).toMatchObject({ stored: 10, duplicates: 31 });
    expect(await firstValueFrom(at.store.agents())).toMatchObject([{ agent: 'a1', epoch: EPOCH }]);
  });

  it('keeps what was heard of an old epoch when the agent starts a new one', async () => {
    await at.append(dataFrame(1, 10));
    const note = { agent: 'a1', released: 0, ts: START };
    await firstValueFrom(at.store.noteEpoch({ ...note, epoch: EPOCH, sampled: 10 }));
    at.store.observeSampled('a1', EPOCH, 25);
    await firstValueFrom(at.store.noteEpoch({ ...note, epoch: 'bbbbbbbbbbbb', sampled: 3 }));
    await at.reopen();
    expect(await ledgerOf(at.store)).toMatchObject([
      { epoch: EPOCH, sampled: 25, stored: 10, pending: 15 },
      { epoch: 'bbbbbbbbbbbb', sampled: 3, stored: 0, pending: 3 },
    ]);
    expect((await numbersOf(at.store)).counts).toEqual({
      sampled: 28,
      stored: 10,
      pending: 18,
      thinned: 0,
      dropped: 0,
    });
    expect(await firstValueFrom(at.store.agents())).toMatchObject([{ epoch: 'bbbbbbbbbbbb' }]);
  });

  it('keeps over a restart what an agent said it has at hello, even if nothing of it ever comes', async () => {
    const note = { agent: 'a1', epoch: EPOCH, released: 0, ts: START };
    await firstValueFrom(at.store.append([dataFrame(1, 10)]));
    await firstValueFrom(at.store.noteEpoch({ ...note, sampled: 10 }));
    await firstValueFrom(at.store.noteEpoch({ ...note, sampled: 500 }));
    await at.reopen();
    expect(await ledgerOf(at.store)).toMatchObject([{ sampled: 500, stored: 10, pending: 490 }]);
  });
});

describe.each(KINDS)('HQ store over %s, what is lost, sent by HTTP or described', (kind) => {
  const at = useStore(kind);

  it('accounts for what an agent has released and HQ lacks as lost, with the times around it', async () => {
    await at.append(dataFrame(11, 20));
    const note = { agent: 'a1', epoch: EPOCH, sampled: 40, released: 30, ts: START + 7 };
    const noted = { coverage: { contiguous: 30, ranges: [] } };
    expect(await firstValueFrom(at.store.noteEpoch(note))).toEqual({ ...noted, lost: 20 });
    expect(await firstValueFrom(at.store.noteEpoch(note)), 'once').toEqual({ ...noted, lost: 0 });
    expect(await ledgerOf(at.store)).toMatchObject([
      {
        sampled: 40,
        stored: 10,
        pending: 10,
        dropped: { lost_at_hq: 20 },
        gaps: [
          { firstSeq: 1, lastSeq: 10, reason: 'lost_at_hq', toTs: START + 11_000 },
          { firstSeq: 21, lastSeq: 30, reason: 'lost_at_hq', fromTs: START + 20_000 },
        ],
      },
    ]);
  });

  it('knows schemas after a restart and counts series once over boots, but for each source', async () => {
    const rebooted = internSchema({ ...schema, boot: 'boot-2' });
    await firstValueFrom(at.store.putSchema('a1', rebooted));
    await firstValueFrom(at.store.putSchema('a1', internSchema({ ...schema, source: 'other' })));
    await at.reopen();
    expect(await firstValueFrom(at.store.schemas('a1'))).toContainEqual({ ref: rebooted.ref, series: 2 });
    expect(await firstValueFrom(at.store.lacks('a1', ['other', rebooted.ref]))).toEqual(['other']);
    expect(await firstValueFrom(at.store.lacks('a2', [rebooted.ref]))).toEqual([rebooted.ref]);
    expect((await numbersOf(at.store)).seriesCount).toBe(4);
    expect(await firstValueFrom(at.store.series('a1'))).toHaveLength(4);
  });
});

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
