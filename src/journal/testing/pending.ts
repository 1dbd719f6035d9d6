/** What a journal has to be delivered, in forms that tests compare. */
import { lastValueFrom, toArray } from 'rxjs';
import { expect } from 'vitest';
import type { Coverage } from '../../protocol/coverage.ts';
import { decodeData, samplesOf } from '../../protocol/frame-codec.ts';
import type { Journal, JournalStats, PendingQuery, StoredFrame } from '../port.ts';
import { TEST_SCHEMA } from './test-samples.ts';

export function expectExactLedger(stats: JournalStats): void {
  const dropped = Object.values(stats.dropped).reduce((sum, samples) => sum + samples, 0);
  expect(stats.acked + stats.pending + dropped).toBe(stats.sampled);
  for (const figure of [stats.acked, stats.pending, dropped]) expect(figure).toBeGreaterThanOrEqual(0);
}

export const allPending = (journal: Journal, query: Partial<PendingQuery> = {}): Promise<StoredFrame[]> =>
  lastValueFrom(
    journal.pending({ order: 'oldest', limit: Number.POSITIVE_INFINITY, ...query }).pipe(toArray()),
  );
export const spans = (frames: readonly StoredFrame[]) =>
  frames.map(({ firstSeq, lastSeq, kind }) => `${kind} ${firstSeq}-${lastSeq}`);
export const upTo = (contiguous: number, ranges: Coverage['ranges'] = []): Coverage => ({
  contiguous,
  ranges,
});
export const valuesOf = (frames: readonly StoredFrame[]): (number | null | undefined)[] =>
  frames
    .filter(({ kind }) => kind === 'data')
    .flatMap(({ bytes }) => samplesOf(decodeData(bytes), () => TEST_SCHEMA))
    .map(({ sample }) => sample.values[0]);
