import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { concat, EMPTY, ignoreElements, lastValueFrom, type Observable, of, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { sized } from '../../tests/support/long.ts';
import { createSystemClock } from '../platform/clock.ts';
import { systemIds } from '../platform/ids.ts';
import { type Coverage, cover, covers, EMPTY_COVERAGE } from '../protocol/coverage.ts';
import type { Sample } from '../protocol/sample.ts';
import { openLmdbStorage } from '../storage/lmdb/lmdb-storage.ts';
import {
  createMemoryDisk,
  createMemoryStorage,
  damageRecord,
  type MemoryDisk,
} from '../storage/memory/memory-storage.ts';
import { StorageError } from '../storage/storage.ts';
import { describeJournalContract } from './journal.contract.ts';
import { openJournal } from './journal.ts';
import { ACKED_KEY, frameKey, LEDGER_KEY } from './keys.ts';
import type { Journal, OverflowPolicy, StoredFrame } from './port.ts';
import { SEQ_SAFETY_SKIP } from './recovery/recovery.ts';
import { allPending, expectExactLedger, spans } from './testing/pending.ts';
import { noisySamples, testSamples } from './testing/test-samples.ts';
import { checkTruth } from './testing/thinned-truth.ts';

const clock = createSystemClock();

describeJournalContract('a journal in memory', () => {
  const disk = createMemoryDisk();
  return {
    open: () => lastValueFrom(of(createMemoryStorage({ disk }))),
    damage: (key) => damageRecord(disk, key),
    dispose: () => {},
  };
});

describeJournalContract('a journal on LMDB', () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-journal-'));
  return {
    open: () => lastValueFrom(openLmdbStorage({ directory, clock })),
    damage: (key) => {
      const path = join(directory, 'data.mdb');
      const data = readFileSync(path);
      const fd = openSync(path, 'r+');
      for (let at = data.indexOf(key); at >= 0; at = data.indexOf(key, at + 1)) {
        const value = at + key.length;
        writeSync(fd, Uint8Array.of((data[value] ?? 0) ^ 1), 0, 1, value);
      }
      closeSync(fd);
    },
    dispose: () => rmSync(directory, { recursive: true }),
  };
});

const openOn = (
  disk: MemoryDisk,
  policy: OverflowPolicy = 'drop-oldest',
  maxBytes = 2 ** 20,
  sealSamples = 8,
) =>
  lastValueFrom(
    openJournal({
      storage: createMemoryStorage({ disk }),
      clock,
      ids: systemIds,
      policy,
      maxBytes,
      sealSamples,
    }),
  );
const append = (journal: Journal, first: number, count: number) =>
  lastValueFrom(journal.append(testSamples(first, count)));

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
  return { world, journal: await lastValueFrom(openJournal({ ...open, sealSamples: 2 })) };
}

describe('journal recovery', () => {
  const prepare = async () => {
    const disk = createMemoryDisk();
    const journal = await openOn(disk);
    for (let n = 0; n < 10; n += 1) await append(journal, n * 10 + 1, 10);
    await lastValueFrom(journal.release({ contiguous: 10, ranges: [[31, 40]] }));
    return { disk, epoch: journal.epoch };
  };
  const keyOf = (disk: MemoryDisk, key: Uint8Array) => {
    const prefix = Buffer.from(key).toString('latin1');
    return [...disk.records.keys()].find((text) => text.startsWith(prefix)) ?? '';
  };
  const lose = (disk: MemoryDisk, key: Uint8Array) => {
    disk.records.delete(keyOf(disk, key));
    disk.orderedKeys = null;
  };
  const frameFrom = (firstSeq: number) =>
    frameKey({ firstSeq, lastSeq: firstSeq + 9, kind: 'data', notable: false, size: 0 }).subarray(0, 13);

  it('turns frames that are gone into gaps, but not what HQ holds', async () => {
    const { disk, epoch } = await prepare();
    lose(disk, frameFrom(51));
    lose(disk, frameFrom(91));
    const journal = await openOn(disk);
    expect(journal.epoch).toBe(epoch);
    expect(journal.stats()).toMatchObject({ sampled: 100, acked: 20, pending: 60, dropped: { damaged: 20 } });
    expect(spans(await allPending(journal)).filter((span) => span.startsWith('gap'))).toEqual([
      'gap 51-60',
      'gap 91-100',
    ]);
    expectExactLedger(journal.stats());
  });

  it('rebuilds lost books, in the same epoch, and never gives a seq out twice', async () => {
    const { disk, epoch } = await prepare();
    lose(disk, LEDGER_KEY);
    const journal = await openOn(disk);
    expect(journal.epoch).toBe(epoch);
    expect(journal.stats()).toMatchObject({
      sampled: 100 + SEQ_SAFETY_SKIP,
      acked: 20,
      pending: 80,
      dropped: { damaged: SEQ_SAFETY_SKIP },
    });
    expect(await append(journal, 1, 1)).toMatchObject({ frame: { firstSeq: 101 + SEQ_SAFETY_SKIP } });
    expectExactLedger(journal.stats());
  });

  it('leaves the seqs that it passed over behind when it begins a new epoch: nothing of them was lost', async () => {
    const { disk, epoch } = await prepare();
    lose(disk, LEDGER_KEY);
    const rebuilt = await openOn(disk);
    await append(rebuilt, 1, 3);
    await lastValueFrom(rebuilt.noteFork());
    const journal = await openOn(disk);
    expect(journal.epoch).not.toBe(epoch);
    expect(journal.stats()).toMatchObject({ sampled: 83, pending: 83, dropped: {} });
    expectExactLedger(journal.stats());
  });

  it('counts the samples of its frames where the ledger is of a version that did not', async () => {
    const disk = createMemoryDisk();
    let journal = await openOn(disk);
    await lastValueFrom(journal.append(noisySamples(1, 10)));
    await lastValueFrom(journal.append(noisySamples(11, 10)));
    await lastValueFrom(journal.release({ contiguous: 15, ranges: [] }));
    const before = journal.stats();
    expect(before).toMatchObject({ pending: 5, frameSamples: 10, rebuilt: false });
    await lastValueFrom(
      createMemoryStorage({ disk }).commit((writer) => {
        const { frameSamples: _, ...old } = JSON.parse(Buffer.from(writer.get(LEDGER_KEY) ?? []).toString());
        writer.put(LEDGER_KEY, Buffer.from(JSON.stringify(old)));
      }),
    );
    journal = await openOn(disk);
    expect(journal.stats()).toEqual(before);
    await lastValueFrom(journal.append(noisySamples(21, 10)));
    expect(journal.stats()).toMatchObject({ pending: 15, frameSamples: 20 });
  });

  it('knows that its books were rebuilt until HQ greets it', async () => {
    const { disk } = await prepare();
    expect((await openOn(disk)).stats().rebuilt).toBe(false);
    lose(disk, LEDGER_KEY);
    expect((await openOn(disk)).stats().rebuilt).toBe(true);
    // Mended once more meanwhile.
    lose(disk, frameFrom(91));
    const journal = await openOn(disk);
    expect(journal.stats().rebuilt).toBe(true);
    await lastValueFrom(journal.noteGreeting('any'));
    expect(journal.stats().rebuilt).toBe(false);
    expect((await openOn(disk)).stats().rebuilt).toBe(false);
  });

  it('knows it no more in a new epoch', async () => {
    const { disk } = await prepare();
    lose(disk, LEDGER_KEY);
    await lastValueFrom((await openOn(disk)).noteFork());
    expect((await openOn(disk)).stats().rebuilt).toBe(false);
  });

  it('does the same when the books are damaged', async () => {
    const { disk, epoch } = await prepare();
    damageRecord(disk, LEDGER_KEY);
    const journal = await openOn(disk);
    expect(journal.epoch).toBe(epoch);
    expect(journal.stats().pending).toBe(80);
    expectExactLedger(journal.stats());
  });

  it('takes holes for acked when the acks are lost', async () => {
    const { disk } = await prepare();
    lose(disk, ACKED_KEY);
    const journal = await openOn(disk);
    expect(journal.stats()).toMatchObject({ sampled: 100, acked: 20, pending: 80, dropped: {} });
    expect((await lastValueFrom(journal.release({ contiguous: 100, ranges: [] }))).pending).toBe(0);
    expectExactLedger(journal.stats());
  });

  it('begins a new epoch when everything is gone', async () => {
    const { epoch } = await prepare();
    const journal = await openOn(createMemoryDisk());
    expect(journal.epoch).toMatch(/^[0-9a-f]{12}$/);
    expect(journal.epoch).not.toBe(epoch);
    expect(journal.stats()).toMatchObject({ sampled: 0, pending: 0 });
  });
});

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
      await lastValueFrom(journal.noteGreeting('run'));
      expect(journal.stats().disk).toBe('good');
      expect(told.at(-1)).toBe('good');
      world.fault = new StorageError(code, 'no');
      await lastValueFrom(journal.noteGreeting('another')).catch(() => null);
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
      () => journal.seal([]),
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
    await lastValueFrom(journal.noteGreeting('run'));
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

describe('journal, whatever is done to it', () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('append' as const), count: fc.integer({ min: 1, max: 150 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('release' as const),
        spans: fc.array(
          fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 0, max: 40 })),
          { maxLength: 3 },
        ),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('reject' as const),
        at: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('seal' as const) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('thin' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('damage' as const),
        at: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    },
  );

  it.each(['thin', 'drop-oldest', 'drop-newest'] as const)(
    'accounts for every seq exactly once (%s)',
    async (policy) => {
      let overflowed = 0;
      let thinned = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }),
          fc.boolean(),
          async (steps, nearlyFull) => {
            const disk = createMemoryDisk();
            const open = () => openOn(disk, policy, 65_536);
            let journal = await open();
            // The model: where each seq is known to be.
            let acked: Coverage = EMPTY_COVERAGE;
            let sampled = nearlyFull ? 600 : 0;
            for (let n = 1; n < sampled; n += 20) await lastValueFrom(journal.append(noisySamples(n, 20)));
            for (const one of steps) {
              switch (one.do) {
                case 'append': {
                  const { frame } = await lastValueFrom(journal.append(noisySamples(sampled + 1, one.count)));
                  sampled += one.count;
                  expect(frame.lastSeq).toBe(sampled);
                  break;
                }
                case 'release': {
                  for (const [at, length] of one.spans) {
                    const first = Math.max(1, Math.floor(at * sampled));
                    acked = cover(acked, first, Math.min(first + length, sampled));
                  }
                  await lastValueFrom(journal.release(acked));
                  break;
                }
                case 'reject':
                  await lastValueFrom(journal.reject(Math.floor(one.at * sampled) + 1, 'test'));
                  break;
                case 'seal':
                  await lastValueFrom(journal.seal([]));
                  break;
                case 'thin':
                  await lastValueFrom(journal.thin([]));
                  break;
                case 'reopen':
                  journal = await open();
                  break;
                case 'damage': {
                  const frames = await allPending(journal);
                  const victim = frames[Math.floor(one.at * frames.length)];
                  if (victim === undefined) break;
                  damageRecord(disk, frameKey({ ...victim, size: victim.bytes.length }));
                  await allPending(journal);
                  break;
                }
              }
              const stats = journal.stats();
              expectExactLedger(stats);
              expect(stats.sampled).toBe(sampled);
              if (stats.overflowing) overflowed += 1;
              const frames = await allPending(journal);
              expectPartition(frames, acked, sampled);
              const unacked = (wanted: StoredFrame['kind']) =>
                frames
                  .filter(({ kind }) => kind === wanted)
                  .reduce((sum, { firstSeq, lastSeq }) => {
                    let open = 0;
                    for (let seq = firstSeq; seq <= lastSeq; seq += 1)
                      open += covers(acked, seq, seq) ? 0 : 1;
                    return sum + open;
                  }, 0);
              expect(stats.thinned).toBe(unacked('thinned'));
              expect(stats.pending).toBe(unacked('data') + stats.thinned);
              thinned += stats.thinned;
              for (const frame of frames.filter(({ kind }) => kind !== 'gap')) {
                let seq = frame.firstSeq;
                checkTruth(frame, () => noisySamples(seq++, 1)[0] as Sample);
              }
              expect(stats.pendingFrames).toBe(frames.length);
              expect(stats.pendingBytes).toBe(frames.reduce((sum, { bytes }) => sum + bytes.length, 0));
              const held = frames.filter(({ kind }) => kind !== 'gap');
              expect(stats.frameSamples).toBe(
                held.reduce((sum, { firstSeq, lastSeq }) => sum + lastSeq - firstSeq + 1, 0),
              );
              expect(stats.released).toBe((frames[0]?.firstSeq ?? sampled + 1) - 1);
            }
          },
        ),
        { numRuns: sized(20, 60) },
      );
      // Otherwise the property would say little about quotas.
      expect(policy === 'thin' ? thinned : overflowed).toBeGreaterThan(10);
    },
  );
});

/** Frames never overlap, and every seq is in a frame or acked. */
function expectPartition(
  frames: readonly { firstSeq: number; lastSeq: number }[],
  acked: Coverage,
  sampled: number,
): void {
  let all = acked;
  let previous = 0;
  for (const { firstSeq, lastSeq } of frames) {
    expect(firstSeq).toBeGreaterThan(previous);
    previous = lastSeq;
    all = cover(all, firstSeq, lastSeq);
  }
  expect(covers(all, 1, sampled)).toBe(true);
}
