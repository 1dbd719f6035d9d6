/** What a journal says and does while its commits fail. */
import { concat, EMPTY, ignoreElements, lastValueFrom, type Observable, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createSystemClock } from '../platform/clock.ts';
import { systemIds } from '../platform/ids.ts';
import { createMemoryDisk, createMemoryStorage } from '../storage/memory/memory-storage.ts';
import { StorageError } from '../storage/storage.ts';
import { openJournal } from './journal.ts';
import type { Journal } from './port.ts';
import { append } from './testing/open-on.ts';
import { allPending, expectExactLedger } from './testing/pending.ts';
import { noisySamples, testSamples } from './testing/test-samples.ts';

const clock = createSystemClock();

/** Its commits report failure although they get through, while `deceives`. */
async function deceivedJournal() {
  const storage = createMemoryStorage();
  const world = { deceives: false };
  const deceptive = {
    ...storage,
    commit: <T>(work: Parameters<typeof storage.commit<T>>[0]) => {
      const done = storage.commit(work);
      return world.deceives
        ? concat(
            done.pipe(ignoreElements()),
            throwError(() => new StorageError('io', 'no')),
          )
        : done;
    },
  };
  const open = {
    storage: deceptive,
    clock,
    ids: systemIds,
    policy: 'drop-oldest',
    maxBytes: 2 ** 20,
  } as const;
  return { world, journal: await lastValueFrom(openJournal({ ...open, compactSamples: 2 })) };
}

describe('journal on a failing disk', () => {
  const diskOf = async (more: { inMemory?: boolean } = {}) => {
    const world = { fault: null as StorageError | null };
    const storage = createMemoryStorage({ refuseCommit: () => world.fault });
    const journal = await lastValueFrom(
      openJournal({ storage, clock, ids: systemIds, policy: 'drop-newest', maxBytes: 2 ** 20, ...more }),
    );
    const told: string[] = [];
    journal.stats$.subscribe(({ disk }) => told.push(disk));
    return { world, journal, told };
  };
  const refusal = (journal: Journal) =>
    lastValueFrom(journal.append(testSamples(1, 5))).then(
      () => null,
      (error: unknown) => error,
    );

  it.each(['io', 'deadline'] as const)(
    'says so from a commit that failed (%s) to the first that succeeds',
    async (code) => {
      const { world, journal, told } = await diskOf();
      expect(journal.stats().disk).toBe('good');
      world.fault = new StorageError(code, 'no');
      expect(await refusal(journal)).toBe(world.fault);
      expect(journal.stats().disk).toBe('failing');
      expect(told.at(-1)).toBe('failing');
      world.fault = null;
      // Any commit shows it, not that of samples alone.
      await lastValueFrom(journal.noteAccepted('run'));
      expect(journal.stats().disk).toBe('good');
      expect(told.at(-1)).toBe('good');
      world.fault = new StorageError(code, 'no');
      await lastValueFrom(journal.noteAccepted('another')).catch(() => null);
      expect(journal.stats().disk).toBe('failing');
    },
  );

  it('does not call a full disk a failing one', async () => {
    const { world, journal } = await diskOf();
    world.fault = new StorageError('full', 'no');
    await refusal(journal);
    expect(journal.stats().disk).toBe('full');
  });

  it('knows of none when it is in memory', async () => {
    const { world, journal } = await diskOf({ inMemory: true });
    world.fault = new StorageError('io', 'no');
    await refusal(journal);
    expect(journal.stats().disk).toBe('absent');
  });

  it('stores a retried append once, whether or not the failed commit got through', async () => {
    const disk = createMemoryDisk();
    let failing = false;
    const refuseCommit = () => (failing ? new StorageError('io', 'disk failed') : null);
    const storage = createMemoryStorage({ disk, refuseCommit });
    const through = createMemoryStorage({ disk });
    // Commits that report failure although they got through.
    const deceptive = {
      ...storage,
      commit: <T>(work: Parameters<typeof storage.commit<T>>[0]) => {
        if (failing) through.commit(work).subscribe();
        return storage.commit(work);
      },
    };
    for (const target of [storage, deceptive]) {
      const journal = await lastValueFrom(
        openJournal({ storage: target, clock, ids: systemIds, policy: 'drop-oldest', maxBytes: 2 ** 20 }),
      );
      const before = journal.stats().sampled;
      const samples = testSamples(1, 5);
      failing = true;
      await expect(lastValueFrom(journal.append(samples))).rejects.toMatchObject({ code: 'io' });
      expect(journal.stats().disk).toBe('failing');
      failing = false;
      expect(await lastValueFrom(journal.append(samples))).toMatchObject({
        frame: { firstSeq: before + 1, lastSeq: before + 5 },
      });
      expect(journal.stats()).toMatchObject({ sampled: before + 5, disk: 'good' });
    }
  });

  it('stores a retried append once, whatever became of its frames since, and hands out nothing unconfirmed', async () => {
    const { world, journal } = await deceivedJournal();
    await append(journal, 1, 3);
    const meantimes: (() => Observable<unknown>)[] = [
      () => journal.compact([]),
      () => journal.release({ contiguous: 13, ranges: [] }),
      () => EMPTY,
    ];
    for (const meanwhile of meantimes) {
      const { sampled } = journal.stats();
      const samples = testSamples(sampled + 1, 5);
      world.deceives = true;
      await expect(lastValueFrom(journal.append(samples))).rejects.toMatchObject({ code: 'io' });
      for (const { lastSeq } of await allPending(journal)) expect(lastSeq).toBeLessThanOrEqual(sampled);
      world.deceives = false;
      await lastValueFrom(meanwhile(), { defaultValue: null });
      expect(await lastValueFrom(journal.append(samples))).toMatchObject({
        frame: { firstSeq: sampled + 1, lastSeq: sampled + 5 },
      });
      expect(journal.stats().sampled).toBe(sampled + 5);
      expectExactLedger(journal.stats());
    }
  });

  it('knows the schema of a frame whose commit was reported as failed', async () => {
    const { world, journal } = await deceivedJournal();
    const samples = noisySamples(1, 5);
    const [first] = samples;
    const ref = first?.schema.ref ?? '';
    expect(journal.schema(ref)).toBeUndefined();
    world.deceives = true;
    await expect(lastValueFrom(journal.append(samples))).rejects.toMatchObject({ code: 'io' });
    world.deceives = false;
    // Any other commit confirms the frame, which goes before its append is tried again.
    await lastValueFrom(journal.noteAccepted('run'));
    expect(await allPending(journal)).toHaveLength(1);
    expect(journal.schema(ref)).toEqual(first?.schema);
  });

  it('reports a full disk and goes on when there is space again', async () => {
    let full = false;
    const storage = createMemoryStorage({
      refuseCommit: () => (full ? new StorageError('full', 'full') : null),
    });
    const journal = await lastValueFrom(
      openJournal({ storage, clock, ids: systemIds, policy: 'drop-oldest', maxBytes: 2 ** 20 }),
    );
    await append(journal, 1, 5);
    full = true;
    await expect(append(journal, 6, 5)).rejects.toMatchObject({ code: 'full' });
    expect(journal.stats().disk).not.toBe('failing');
    expect(await allPending(journal)).toHaveLength(1);
    full = false;
    await append(journal, 6, 5);
    expect(journal.stats()).toMatchObject({ sampled: 10, pending: 10 });
  });
});
