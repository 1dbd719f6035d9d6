import { lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createSystemClock } from '../platform/clock.ts';
import { systemIds } from '../platform/ids.ts';
import { decodeData, encodeSamples, resealFrame } from '../protocol/frame-codec.ts';
import { allPending, expectExactLedger, spans } from './journal.contract.ts';
import type { Journal } from './journal.ts';
import { createMemoryDisk, createMemoryStorage, type MemoryDisk } from './memory-storage.ts';
import { openJournal } from './open-journal.ts';
import { type Storage, StorageError } from './storage.ts';
import { testSamples } from './test-samples.ts';

const openOn = (storage: Storage, newEpoch = false): Promise<Journal> =>
  lastValueFrom(
    openJournal({
      storage,
      clock: createSystemClock(),
      ids: systemIds,
      policy: 'drop-oldest',
      maxBytes: 2 ** 24,
      newEpoch,
    }),
  );

/** First values of the samples of all pending data frames, in order of seq. */
const numbersIn = async (journal: Journal) =>
  (await allPending(journal)).flatMap(({ kind, bytes }) =>
    kind === 'data' ? decodeData(bytes).groups.flatMap(({ columns }) => [...(columns[0]?.values ?? [])]) : [],
  );

/** 300 frames of two samples; 1–100 and 201–205 are acked, 301–302 are rejected. */
async function prepare(disk: MemoryDisk): Promise<Journal> {
  const journal = await openOn(createMemoryStorage({ disk }));
  for (let first = 1; first < 600; first += 2) await lastValueFrom(journal.append(testSamples(first, 2)));
  await lastValueFrom(journal.release({ contiguous: 100, ranges: [[201, 205]] }));
  await lastValueFrom(journal.reject(301, 'for the test'));
  return journal;
}
const PENDING = Array.from({ length: 600 }, (_, index) => index + 1).filter(
  (n) => n > 100 && (n < 201 || n > 205) && n !== 301 && n !== 302,
);

describe('a journal that begins a new epoch', () => {
  it('keeps what is pending, in order, under new seqs without holes', async () => {
    const disk = createMemoryDisk();
    const before = await prepare(disk);
    const journal = await openOn(createMemoryStorage({ disk }), true);
    expect(journal.epoch).not.toBe(before.epoch);
    expect(await numbersIn(journal)).toEqual(PENDING);
    expect(journal.stats()).toMatchObject({
      sampled: 495,
      released: 0,
      acked: 0,
      pending: 493,
      dropped: { rejected: 2 },
    });
    expectExactLedger(journal.stats());
    const pending = await allPending(journal);
    expect(pending.map(({ firstSeq }) => firstSeq)).toEqual(
      pending.map((_, index) => (pending[index - 1]?.lastSeq ?? 0) + 1),
    );
    await lastValueFrom(journal.append(testSamples(601, 1)));
    expect(spans(await allPending(journal)).at(-1)).toBe('data 496-496');
  });

  it('goes on where it was cut off, wherever that was', async () => {
    for (let commits = 1; commits < 6; commits += 1) {
      const disk = createMemoryDisk();
      await prepare(disk);
      let left = commits;
      const failing = createMemoryStorage({
        disk,
        refuseCommit: () => {
          left -= 1;
          return left < 0 ? new StorageError('io', 'cut off') : null;
        },
      });
      const cutOff = await openOn(failing, true).then(
        () => false,
        () => true,
      );
      const journal = await openOn(createMemoryStorage({ disk }));
      const numbers = await numbersIn(journal);
      expect(numbers).toEqual(PENDING);
      expectExactLedger(journal.stats());
      // Four slices and the books.
      expect(cutOff).toBe(commits < 5);
      expect(journal.stats().acked).toBe(0);
    }
  });

  it('has nothing to do in an empty one', async () => {
    const journal = await openOn(createMemoryStorage(), true);
    expect(journal.stats()).toMatchObject({ sampled: 0, pending: 0 });
  });
});

describe('a resealed frame', () => {
  it('holds the same samples under other seqs', () => {
    const bytes = encodeSamples({ epoch: '0123456789ab', firstSeq: 900, samples: testSamples(5, 40) });
    const resealed = decodeData(resealFrame(bytes, { epoch: 'ba9876543210', firstSeq: 3 }));
    const original = decodeData(bytes);
    expect(resealed.header).toMatchObject({ epoch: 'ba9876543210', firstSeq: 3, count: 40 });
    expect(resealed.groups[0]?.seqs[39]).toBe(42);
    expect(resealed.groups[0]?.ts).toEqual(original.groups[0]?.ts);
    expect(resealed.groups[0]?.columns.map((column) => column?.values)).toEqual(
      original.groups[0]?.columns.map((column) => column?.values),
    );
  });
});
