import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { lastValueFrom, of } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { sized } from '../../tests/support/long.ts';
import { createSystemClock } from '../platform/clock.ts';
import { type Coverage, cover, covers, EMPTY_COVERAGE } from '../protocol/coverage.ts';
import type { Sample } from '../protocol/sample.ts';
import { openLmdbStorage } from '../storage/lmdb/lmdb-storage.ts';
import { createMemoryDisk, createMemoryStorage, damageRecord } from '../storage/memory/memory-storage.ts';
import { describeJournalContract } from './journal.contract.ts';
import { frameKey } from './keys.ts';
import type { StoredFrame } from './port.ts';
import { checkTruth } from './testing/downsampled-truth.ts';
import { openOn } from './testing/open-on.ts';
import { allPending, expectExactLedger } from './testing/pending.ts';
import { noisySamples } from './testing/test-samples.ts';

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
    { weight: 1, arbitrary: fc.record({ do: fc.constant('compact' as const) }) },
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
                case 'compact':
                  await lastValueFrom(journal.compact([]));
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
