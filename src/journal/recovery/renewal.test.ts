import { lastValueFrom, type Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createSystemClock } from '../../platform/clock.ts';
import { systemIds } from '../../platform/ids.ts';
import { decodeData, encodeSamples, resealFrame } from '../../protocol/frame-codec.ts';
import { MAX_SEQ } from '../../protocol/sample.ts';
import {
  createMemoryDisk,
  createMemoryStorage,
  damageRecord,
  type MemoryDisk,
} from '../../storage/memory/memory-storage.ts';
import { type Storage, StorageError } from '../../storage/storage.ts';
import { listFrames } from '../editor.ts';
import { openJournal } from '../journal.ts';
import { ACKED_BEFORE_KEY, frameKey, LEDGER_KEY } from '../keys.ts';
import type { Journal } from '../port.ts';
import { allPending, expectExactLedger, spans } from '../testing/pending.ts';
import { testSamples } from '../testing/test-samples.ts';

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
  it('does so after a fork even while it is empty: HQ would refuse it until there is a sample', async () => {
    const disk = createMemoryDisk();
    const before = await openOn(createMemoryStorage({ disk }));
    await lastValueFrom(before.noteFork(), { defaultValue: undefined });
    const after = await openOn(createMemoryStorage({ disk }));
    expect(after.epoch).not.toBe(before.epoch);
    expect(after.stats()).toMatchObject({ sampled: 0, pending: 0 });
    // Once.
    expect((await openOn(createMemoryStorage({ disk }))).epoch).toBe(after.epoch);
  });

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
      // Four slices and the ledger.
      expect(cutOff).toBe(commits < 5);
      expect(journal.stats().acked).toBe(0);
    }
  });

  describe.each([
    ['the ledger', [LEDGER_KEY]],
    ['the ledger and what had been acked before', [LEDGER_KEY, ACKED_BEFORE_KEY]],
  ])('that is cut off and loses %s', (_, lost) => {
    it.each([1, 2, 3, 4])('keeps every sample, after %i commits', async (commits) => {
      const disk = createMemoryDisk();
      const before = await prepare(disk);
      let left = commits;
      const failing = createMemoryStorage({
        disk,
        refuseCommit: () => {
          left -= 1;
          return left < 0 ? new StorageError('io', 'cut off') : null;
        },
      });
      await expect(openOn(failing, true)).rejects.toThrow('cut off');
      for (const key of lost) damageRecord(disk, key);
      const journal = await openOn(createMemoryStorage({ disk }));
      expect(journal.epoch).not.toBe(before.epoch);
      expect(await numbersIn(journal)).toEqual(PENDING);
      expectExactLedger(journal.stats());
      expect(journal.stats().acked).toBe(0);
      await lastValueFrom(journal.append(testSamples(601, 1)));
      expect((await numbersIn(journal)).at(-1)).toBe(601);
    });
  });

  it('names what is damaged while it is cut off, before and behind the place that it has come to', async () => {
    const disk = createMemoryDisk();
    await prepare(disk);
    let left = 2;
    const failing = createMemoryStorage({
      disk,
      refuseCommit: () => {
        left -= 1;
        return left < 0 ? new StorageError('io', 'cut off') : null;
      },
    });
    await expect(openOn(failing, true)).rejects.toThrow('cut off');
    const storage = createMemoryStorage({ disk });
    // The first frame that has moved, and the last one that has not.
    const lost = await lastValueFrom(
      storage.commit((writer) => {
        const frames = listFrames(writer, { first: 0, last: MAX_SEQ, limit: 1_000 });
        const [moved, waiting] = [frames[0], frames.at(-1)];
        if (moved === undefined || waiting === undefined) throw new Error('nothing to damage');
        for (const frame of [moved, waiting]) writer.remove(frameKey(frame));
        return [moved, waiting].map(({ firstSeq, lastSeq }) => `${firstSeq}-${lastSeq}`);
      }),
    );
    expect(lost).toEqual(['1-2', '599-600']);
    const journal = await openOn(storage);
    expect(await numbersIn(journal)).toEqual(PENDING.filter((n) => n !== 101 && n !== 102 && n < 599));
    expect(journal.stats()).toMatchObject({
      sampled: 495,
      acked: 0,
      pending: 489,
      dropped: { rejected: 2, damaged: 4 },
    });
    expectExactLedger(journal.stats());
  });

  it('has nothing to do in an empty one', async () => {
    const journal = await openOn(createMemoryStorage(), true);
    expect(journal.stats()).toMatchObject({ sampled: 0, pending: 0 });
  });
});

describe('a journal that is mended', () => {
  const mended = async (mark: (journal: Journal) => Observable<void>) => {
    const disk = createMemoryDisk();
    const journal = await prepare(disk);
    await lastValueFrom(mark(journal));
    const storage = createMemoryStorage({ disk });
    await lastValueFrom(
      storage.commit((writer) => {
        for (const frame of listFrames(writer, { first: 401, last: 401, limit: 1 }))
          writer.remove(frameKey(frame));
      }),
    );
    const after = await openOn(storage);
    expect(after.stats().dropped).toEqual({ rejected: 2, damaged: 2 });
    expectExactLedger(after.stats());
    return { before: journal.epoch, after };
  };

  it('still knows which run HQ accepted last: else HQ would take it for a copy', async () => {
    const { before, after } = await mended((journal) => journal.noteAccepted('the last one'));
    expect(after.epoch).toBe(before);
    expect(after.stats().greeting).toEqual({ number: 1, instance: 'the last one' });
  });

  it('still knows that it has to begin a new epoch', async () => {
    const { before, after } = await mended((journal) => journal.noteFork());
    expect(after.epoch).not.toBe(before);
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
