/** An agent's data directory with samples that HQ has not seen, as an agent leaves it that was offline. */
import { concatMap, defaultIfEmpty, last, lastValueFrom, mergeMap, range } from 'rxjs';
import { openJournal } from '../../src/journal/journal.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { systemIds } from '../../src/platform/ids.ts';
import { hostSamples } from '../../src/protocol/codec/testing/host-samples.ts';
import type { Sample } from '../../src/protocol/sample.ts';
import { openLmdbStorage } from '../../src/storage/lmdb/lmdb-storage.ts';

const HEAD_SAMPLES = 60;
/** A little more than compaction waits for. */
const COMPACTED_SAMPLES = 600;
const PERIOD_MS = 1_000;
const CYCLE = 16_384;

/** `count` samples of 17 host metrics, one a second; values repeat after some hours, times do not. */
export function backlogSamples(): (first: number, count: number) => Sample[] {
  const cycle = hostSamples(CYCLE);
  return (first, count) =>
    Array.from({ length: count }, (_, row) => {
      const index = first + row;
      const sample = cycle[index % CYCLE];
      if (sample === undefined) throw new RangeError('an empty cycle');
      const shift = Math.floor(index / CYCLE) * CYCLE * PERIOD_MS;
      return { ...sample, ts: sample.ts + shift, mono: sample.mono + shift };
    });
}

/**
 * Appends in small frames and compacts them as soon as there are enough, as the agent does while HQ is away.
 * Resolves with the epoch.
 */
export async function prepareJournal(directory: string, count: number): Promise<string> {
  const clock = createSystemClock();
  const storage = await lastValueFrom(openLmdbStorage({ directory, clock }));
  const options = { storage, clock, ids: systemIds, policy: 'drop-oldest', maxBytes: 2 ** 30 } as const;
  const journal = await lastValueFrom(openJournal(options));
  const samples = backlogSamples();
  const append = (first: number) => journal.append(samples(first, Math.min(HEAD_SAMPLES, count - first)));
  await lastValueFrom(
    range(0, Math.ceil(count / COMPACTED_SAMPLES)).pipe(
      concatMap((block) => {
        const first = block * COMPACTED_SAMPLES;
        const heads = Math.ceil(Math.min(COMPACTED_SAMPLES, count - first) / HEAD_SAMPLES);
        return range(0, heads).pipe(
          mergeMap((head) => append(first + head * HEAD_SAMPLES)),
          last(),
          concatMap(() => journal.compact([])),
        );
      }),
    ),
  );
  await lastValueFrom(journal.close().pipe(defaultIfEmpty(null)));
  return journal.epoch;
}
