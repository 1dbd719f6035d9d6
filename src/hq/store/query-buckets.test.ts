/** What buckets say besides what the other tests of the store look at: many series, deviations, percentiles. */
import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { BUCKET_STATISTICS, type Bucket } from '../../protocol/bucket.ts';
import { encodeSamples, readHeader } from '../../protocol/frame-codec.ts';
import { TooManyBucketsError } from './query-buckets.ts';
import { dataFrame, downsampledFrame, EPOCH, START, sampleOf } from './testing/frames.ts';
import { numbers, oneSeries, readBuckets, rowOf } from './testing/read.ts';
import { KINDS, useStore } from './testing/use-store.ts';

const ALL = new Set(BUCKET_STATISTICS);
const RANGE = { from: START, to: START + 100_000, stepMs: 50_000 };
const seriesOf = (sensor: number, agent = 'a1') => ({
  agent,
  source: 'sim',
  series: `sensor.value{sensor=${sensor}}`,
});

/** Percentile of sorted values by the nearest rank. */
const rankOf = (sorted: readonly number[], share: number) =>
  sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] ?? Number.NaN;

function expectFigures(bucket: Bucket | undefined, values: readonly number[]): void {
  const sorted = values.toSorted((one, other) => one - other);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  expect(bucket).toMatchObject({ count: values.length, min: sorted[0], max: sorted.at(-1) });
  expect(bucket?.mean).toBeCloseTo(mean, 9);
  expect(bucket?.stddev).toBeCloseTo(Math.sqrt(variance), 9);
  for (const [name, share] of [['p50', 0.5] as const, ['p95', 0.95] as const, ['p99', 0.99] as const]) {
    const exact = rankOf(sorted, share);
    expect(Math.abs(Number(bucket?.[name]) - exact)).toBeLessThanOrEqual(Math.abs(exact) / 100);
  }
}

describe.each(KINDS)('figures of buckets in a store over %s', (kind) => {
  const at = useStore(kind);

  it('are those of the samples, of each series in its row', async () => {
    await at.append(dataFrame(1, 60), dataFrame(40, 90));
    const series = [seriesOf(2), seriesOf(1), seriesOf(3)].map((one, row) => ({ ...one, row }));
    const table = await firstValueFrom(at.store.buckets({ ...RANGE, series, rows: 3, percentiles: true }));
    const [second, first, none] = [0, 1, 2].map((row) => rowOf(table, row, ALL));
    expectFigures(first?.[0], numbers(1, 49));
    expectFigures(first?.[1], numbers(50, 90));
    expectFigures(
      second?.[0],
      numbers(1, 49).map((value) => -value),
    );
    expect(none?.map(({ count, p99, stddev }) => [count, p99, stddev])).toEqual([
      [0, null, null],
      [0, null, null],
    ]);
  });

  it('are those of all series that share a row, whoever has them', async () => {
    await at.append(dataFrame(1, 30), dataFrame(1, 40, { agent: 'a2', epoch: 'bbbbbbbbbbbb' }));
    await firstValueFrom(at.store.putSchema('a2', sampleOf(1).schema));
    const series = [seriesOf(1), seriesOf(2), seriesOf(1, 'a2')].map((one) => ({ ...one, row: 0 }));
    const table = await firstValueFrom(at.store.buckets({ ...RANGE, series, rows: 1, percentiles: true }));
    const values = [...numbers(1, 30), ...numbers(1, 30).map((value) => -value), ...numbers(1, 40)];
    expectFigures(rowOf(table, 0, ALL)[0], values);
  });

  it('that thinned samples cannot give are null, and say so', async () => {
    await at.append(downsampledFrame(1, 16, { window: 8 }), dataFrame(17, 80));
    const buckets = await readBuckets(at.store, RANGE, ALL);
    expect(buckets[0]).toMatchObject({ count: 49, thinned: 16, min: 1, max: 49, mean: 25, approx: true });
    expect(buckets[0]).toMatchObject({ stddev: null, p50: null, p95: null, p99: null });
    expect(buckets[1]?.approx).toBeUndefined();
    expectFigures(buckets[1], numbers(50, 80));
    const [plain] = await readBuckets(at.store, RANGE, new Set(['max'] as const));
    expect(plain).toEqual({ t: START, count: 49, max: 49, thinned: 16 });
  });

  it('keep NaN and infinities to their rules', async () => {
    const values = [Number.NaN, 1, Number.POSITIVE_INFINITY, 3, Number.NaN, Number.NaN];
    const samples = values.map((value, index) => ({
      ...sampleOf(1 + index * 20),
      values: [value, index < 3 ? 1e-300 : 1e300],
    }));
    const bytes = encodeSamples({ epoch: EPOCH, firstSeq: 1, samples });
    await at.append({ agent: 'a1', header: readHeader(bytes), bytes, arrivalTs: START, lane: 'live' });
    const [first, second, third] = await readBuckets(at.store, { ...RANGE, to: START + 150_000 }, ALL);
    expect(first).toMatchObject({ count: 3, min: 1, max: 'Infinity', mean: 'Infinity', stddev: 'NaN' });
    expect(first).toMatchObject({ p50: expect.closeTo(1, 1), p99: 'Infinity' });
    expectFigures({ ...second, count: 1 } as Bucket, [3]);
    expect(second?.count).toBe(2);
    expect(third).toMatchObject({ count: 1, min: 'NaN', mean: 'NaN', stddev: 'NaN', p50: 'NaN' });
    expect(third?.approx).toBeUndefined();
  });
});

describe('a query of too many buckets', () => {
  const at = useStore('memory');

  it('is refused before anything is counted', async () => {
    const query = { ...oneSeries({ ...RANGE, stepMs: 1, to: START + 1e9 }), rows: 1 };
    await expect(firstValueFrom(at.store.buckets(query))).rejects.toThrow(TooManyBucketsError);
  });
});
