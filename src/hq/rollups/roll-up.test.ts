import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BucketGroup, SampleGroup } from '../../protocol/frame.ts';
import { createSketch, type QuantileSketch, quantilesOf } from '../../protocol/quantile-sketch.ts';
import { addSummary, addValue, deviationOf, meanOf } from '../../protocol/statistics.ts';
import { RESOLUTIONS, type Resolution } from './resolutions.ts';
import { createRollupStatistics, mergeParts, type RollupRows, rollUp } from './roll-up.ts';
import { decodePart, type RollupStatistics } from './rollup-part.ts';

/** Undefined: absent. */
type Sample = { readonly ts: number; readonly values: readonly (number | undefined)[] };
const COLUMNS = 2;

function groupOf(samples: readonly Sample[]): SampleGroup {
  return {
    schemaRef: 'aaaaaaaaaaaa',
    seqs: Float64Array.from(samples, (_, index) => index + 1),
    ts: Float64Array.from(samples, ({ ts }) => ts),
    mono: new Float64Array(samples.length),
    notes: [],
    columns: Array.from({ length: COLUMNS }, (_, column) => ({
      values: Float64Array.from(samples, ({ values }) => values[column] ?? Number.NaN),
      present: Uint8Array.from(samples, ({ values }) => (values[column] === undefined ? 0 : 1)),
    })),
  };
}

const rowsOf = (group: SampleGroup | BucketGroup): RollupRows => ({
  group,
  owns: null,
  columns: COLUMNS,
  column: (index) => group.columns[index] ?? null,
});

function drain<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

type Key = string;
const keyOf = ({ name }: Resolution, block: number): Key => `${name}/${block}`;

/** Parts by block, made of the batches one after another. */
function partsOf(batches: readonly (readonly RollupRows[])[]): Map<Key, Uint8Array[]> {
  const parts = new Map<Key, Uint8Array[]>();
  for (const batch of batches) {
    for (const { resolution, block, bytes } of drain(rollUp(batch, () => true))) {
      const key = keyOf(resolution, block);
      parts.set(key, [...(parts.get(key) ?? []), bytes]);
    }
  }
  return parts;
}

type Shown = { readonly statistics: RollupStatistics; readonly sketches: readonly QuantileSketch[] };

/** What a block holds, by the start of each bucket, of one column. */
function shownOf(parts: Map<Key, Uint8Array[]>, resolution: Resolution, column: number) {
  const shown = new Map<number, Shown>();
  for (const [key, all] of parts) {
    const [name, block] = key.split('/');
    if (name !== resolution.name) continue;
    const part = decodePart(drain(mergeParts(all.map(decodePart), resolution)));
    const statistics = createRollupStatistics(part.offsets.length);
    const sketches = Array.from(part.offsets, createSketch);
    part.read(column, statistics);
    part.readSketches(column, sketches);
    for (const [row, offset] of part.offsets.entries()) {
      const one = createRollupStatistics(1);
      for (const name of Object.keys(one) as (keyof RollupStatistics)[])
        one[name][0] = statistics[name][row] as number;
      const sketch = sketches[row] as QuantileSketch;
      shown.set(Number(block) * resolution.blockMs + offset * resolution.stepMs, {
        statistics: one,
        sketches: [sketch],
      });
    }
  }
  return shown;
}

function expectClose(actual: number, expected: number, scale: number) {
  if (Number.isFinite(expected)) expect(Math.abs(actual - expected)).toBeLessThanOrEqual(1e-12 * scale);
  else expect(actual).toBe(expected);
}

function expectSame(shown: Shown, values: readonly number[], samples: number) {
  const { statistics } = shown;
  const numbers = values.filter((value) => !Number.isNaN(value));
  expect(statistics.counts[0]).toBe(values.length);
  expect(statistics.numbers[0]).toBe(numbers.length);
  expect(samples).toBeGreaterThanOrEqual(values.length);
  if (numbers.length === 0) return;
  const truth = createRollupStatistics(1);
  for (const value of numbers) addValue(truth, 0, value);
  expect((statistics.min[0] as number) + 0).toBe(Math.min(...numbers) + 0);
  expect((statistics.max[0] as number) + 0).toBe(Math.max(...numbers) + 0);
  const size = Math.max(...numbers.map(Math.abs));
  expectClose(meanOf(statistics, 0), meanOf(truth, 0), size);
  const deviation = deviationOf(truth, 0);
  // Of values that are no decimals the sum has the digits of a double, and the deviation as many less than the mean.
  if (Number.isFinite(deviation)) expectClose(deviationOf(statistics, 0), deviation, deviation + 1e-3 * size);
  else expect(deviationOf(statistics, 0)).toBeNaN();
}

function expectQuantiles(sketch: QuantileSketch, values: readonly number[]) {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((one, other) => one - other);
  const [median] = quantilesOf(sketch, [0.5]);
  const exact = sorted[Math.max(1, Math.ceil(sorted.length / 2)) - 1];
  if (exact === undefined) expect(median).toBeNull();
  else if (!Number.isFinite(exact)) expect(median).toBe(exact);
  else if (Math.abs(exact) < 1e-300) expect(Math.abs(median ?? Number.NaN)).toBeLessThan(1e-299);
  else expect(Math.abs((median ?? Number.NaN) - exact)).toBeLessThanOrEqual(0.01 * Math.abs(exact));
}

const HOUR_MS = 3_600_000;
const valueArb = fc.oneof(
  fc.integer({ min: -100_000, max: 100_000 }).map((whole) => whole / 100),
  fc.double(),
  fc.constant(undefined),
);
const decimalArb = fc.integer({ min: 100, max: 9_000 }).map((whole) => whole / 10);
const sampleArb = fc.record({
  ts: fc.oneof(fc.integer({ min: -2 * HOUR_MS, max: 2 * HOUR_MS }), fc.integer({ min: -1e12, max: 3e12 })),
  values: fc.tuple(valueArb, decimalArb),
});
const batchesArb = fc.array(fc.array(sampleArb, { maxLength: 40 }), { minLength: 1, maxLength: 6 });

describe('rollups', () => {
  it('say of any samples, in any parts and order, what the samples say', () => {
    fc.assert(
      fc.property(batchesArb, (batches) => {
        const parts = partsOf(batches.map((samples) => [rowsOf(groupOf(samples))]));
        const all = batches.flat();
        for (const resolution of RESOLUTIONS) {
          for (let column = 0; column < COLUMNS; column += 1) {
            const shown = shownOf(parts, resolution, column);
            const byBucket = Map.groupBy(
              all,
              ({ ts }) => Math.floor(ts / resolution.stepMs) * resolution.stepMs,
            );
            expect([...shown.keys()].sort()).toEqual([...byBucket.keys()].map((ts) => ts + 0).sort());
            for (const [start, samples] of byBucket) {
              const values = samples.flatMap(({ values }) => values[column] ?? []);
              const one = shown.get(start) as Shown;
              expectSame(one, values, samples.length);
              const [sketch] = one.sketches;
              if (resolution.hasSketches && sketch !== undefined) expectQuantiles(sketch, values);
            }
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('leave out blocks that are not kept, and rows that do not count', () => {
    const samples = [1, 2, 3, 4].map((value) => ({ ts: value * HOUR_MS, values: [value, value] }));
    const rows = { ...rowsOf(groupOf(samples)), owns: (seq: number) => seq !== 2 };
    const parts = drain(rollUp([rows], ({ name }, block) => name === '10s' && block > 1));
    expect(parts.map(({ resolution, block }) => keyOf(resolution, block))).toEqual(['10s/3', '10s/4']);
  });

  it('count what came thinned, know how far it reaches, and no quantiles of it', () => {
    const thinned: BucketGroup = {
      schemaRef: 'aaaaaaaaaaaa',
      seqs: Float64Array.of(1),
      sizes: Float64Array.of(8),
      ts: Float64Array.of(75_000),
      spans: Float64Array.of(30_000),
      mono: Float64Array.of(0),
      columns: Array.from({ length: COLUMNS }, () => ({
        counts: Float64Array.of(8),
        numbers: Float64Array.of(7),
        min: Float64Array.of(-1),
        max: Float64Array.of(5),
        sum: Float64Array.of(14),
      })),
    };
    const whole = groupOf([{ ts: 61_000, values: [3, 4] }]);
    const parts = partsOf([[rowsOf(thinned)], [rowsOf(whole)]]);
    for (const resolution of RESOLUTIONS) {
      const shown = shownOf(parts, resolution, 0).get(
        Math.floor(75_000 / resolution.stepMs) * resolution.stepMs,
      );
      const { statistics, sketches } = shown as Shown;
      const own = resolution.name === '10s' ? 0 : 1;
      expect([statistics.counts[0], statistics.thinned[0]]).toEqual([8 + own, 8]);
      expect(statistics.reach[0]).toBe(105_000 - Math.floor(75_000 / resolution.stepMs) * resolution.stepMs);
      expect(meanOf(statistics, 0)).toBe((14 + 3 * own) / (7 + own));
      expect(deviationOf(statistics, 0)).toBeNaN();
      if (resolution.hasSketches) expect(quantilesOf(sketches[0] as QuantileSketch, [0.5])).toEqual([null]);
    }
    const truth = createRollupStatistics(1);
    addSummary(truth, 0, { count: 8, numbers: 7, min: -1, max: 5, sum: 14 });
    expect(meanOf(truth, 0)).toBe(2);
  });

  it('take few bytes where values are decimals', () => {
    const samples = Array.from({ length: 3600 }, (_, second) => ({
      ts: second * 1000,
      values: [20 + Math.round(30 * Math.sin(second / 300)) / 100, second % 7 === 0 ? undefined : 5],
    }));
    const parts = partsOf([[rowsOf(groupOf(samples))]]);
    const bytes = (parts.get('10s/0') ?? []).reduce((sum, part) => sum + part.length, 0);
    // Of 360 buckets of two series.
    expect(bytes).toBeLessThan(360 * 2 * 3);
  });
});
