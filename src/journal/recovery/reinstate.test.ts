import { lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createSystemClock } from '../../platform/clock.ts';
import { systemIds } from '../../platform/ids.ts';
import { EMPTY_COVERAGE } from '../../protocol/coverage.ts';
import {
  createMemoryDisk,
  createMemoryStorage,
  damageRecord,
  type MemoryDisk,
} from '../../storage/memory/memory-storage.ts';
import { openJournal } from '../journal.ts';
import { LEDGER_KEY } from '../keys.ts';
import { allPending, expectExactLedger, spans } from '../testing/pending.ts';
import { testSamples } from '../testing/test-samples.ts';

const openOn = (disk: MemoryDisk) =>
  lastValueFrom(
    openJournal({
      storage: createMemoryStorage({ disk }),
      clock: createSystemClock(),
      ids: systemIds,
      policy: 'drop-oldest',
      maxBytes: 2 ** 24,
    }),
  );

async function openWithFrames(disk = createMemoryDisk()) {
  const journal = await openOn(disk);
  // Frames 1–10, 11–20 … 41–50.
  for (let first = 1; first <= 41; first += 10) await lastValueFrom(journal.append(testSamples(first, 10)));
  return journal;
}

describe('an HQ that was restored from a backup', () => {
  it('gets again what the journal still has, and a gap for what it has not', async () => {
    const disk = createMemoryDisk();
    const journal = await openWithFrames(disk);
    // 21–25 is only a part of its frame, which therefore stays.
    await lastValueFrom(
      journal.release({
        contiguous: 10,
        ranges: [
          [21, 25],
          [31, 40],
        ],
      }),
    );
    expect(journal.stats()).toMatchObject({ acked: 25, pending: 25 });

    expect(await lastValueFrom(journal.reinstate({ contiguous: 4, ranges: [] }))).toEqual({
      again: 5,
      lost: 16,
    });
    expect(journal.stats()).toMatchObject({ acked: 4, pending: 30, dropped: { lost_at_hq: 16 } });
    expectExactLedger(journal.stats());
    expect(spans(await allPending(journal))).toEqual([
      'gap 5-10',
      'data 11-20',
      'data 21-30',
      'gap 31-40',
      'data 41-50',
    ]);
    const again = await openOn(disk);
    expect(again.stats()).toMatchObject({ acked: 4, pending: 30, dropped: { lost_at_hq: 16 } });
  });

  it('changes nothing while it holds all that it acked', async () => {
    const journal = await openWithFrames();
    await lastValueFrom(journal.release({ contiguous: 20, ranges: [] }));
    const before = journal.stats();
    expect(await lastValueFrom(journal.reinstate({ contiguous: 20, ranges: [[41, 50]] }))).toEqual({
      again: 0,
      lost: 0,
    });
    expect(journal.stats()).toEqual(before);
  });

  it('cannot undo it by an ack that was on its way', async () => {
    const journal = await openWithFrames();
    await lastValueFrom(journal.release({ contiguous: 10, ranges: [] }));
    const stale = journal.release({ contiguous: 50, ranges: [] });
    await lastValueFrom(journal.reinstate(EMPTY_COVERAGE));
    await lastValueFrom(stale);
    expect(journal.stats()).toMatchObject({ acked: 0, pending: 40, dropped: { lost_at_hq: 10 } });
    await lastValueFrom(journal.release({ contiguous: 50, ranges: [] }));
    expect(journal.stats().pending).toBe(0);
  });
});

describe('a journal whose ledger is lost', () => {
  it('believes no ack of another epoch when it has to begin again', async () => {
    const disk = createMemoryDisk();
    const before = await openWithFrames(disk);
    await lastValueFrom(before.release({ contiguous: 50, ranges: [] }));
    damageRecord(disk, LEDGER_KEY);
    const journal = await openOn(disk);
    expect(journal.epoch).not.toBe(before.epoch);
    await lastValueFrom(journal.append(testSamples(1, 5)));
    expect(journal.stats()).toMatchObject({ sampled: 5, acked: 0, pending: 5 });
    expect(spans(await allPending(journal))).toEqual(['data 1-5']);
  });
});
