import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/long.ts';
import { type BucketColumn, type BucketGroup, FrameError, MAX_FRAME_SAMPLES } from '../frame.ts';
import {
  bucketsOf,
  coarsen,
  decodeData,
  decodeDownsampled,
  encodeDownsampled,
  encodeSamples,
  joinBuckets,
  readHeader,
  resealFrame,
  schemaRefsOf,
  sliceBuckets,
  splitDownsampled,
  verifyFrame,
} from '../frame-codec.ts';
import type { Sample } from '../sample.ts';
import { internSchema } from '../schema-ref.ts';
import { epochArb, samplesArb } from './testing/arbitraries.ts';
import { sealed } from './testing/forge.ts';
import { hostSamples } from './testing/host-samples.ts';

const EPOCH = 'fedcba987654';
const RUNS = sized(150, 3_000);

/** Samples at any first seq, and windows that each hold whole ones of the one before. */
const frameArb = fc.record({
  epoch: epochArb,
  firstSeq: fc.integer({ min: 1, max: 2 ** 40 }),
  samples: samplesArb,
  doublings: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
  cut: fc.double({ min: 0, max: 1, noNaN: true }),
});

function buckets(firstSeq: number, samples: readonly Sample[]): readonly BucketGroup[] {
  return bucketsOf(decodeData(encodeSamples({ epoch: EPOCH, firstSeq, samples })));
}

/** Plain arrays, so that views, packed columns and arrays of their own compare alike. */
function plain(groups: readonly BucketGroup[]) {
  return groups.map(({ schemaRef, seqs, sizes, ts, spans, mono, columns }) => ({
    schemaRef,
    ...{ seqs: [...seqs], sizes: [...sizes], ts: [...ts], spans: [...spans], mono: [...mono] },
    columns: columns.map(
      (column) =>
        column && {
          ...{ counts: [...column.counts], numbers: [...column.numbers] },
          ...{ min: [...column.min], max: [...column.max], sum: [...column.sum] },
        },
    ),
  }));
}

/** The samples of each bucket, by the definition of a bucket alone. */
function membersOf(group: BucketGroup, firstSeq: number, samples: readonly Sample[]): Sample[][] {
  const own = samples.flatMap((sample, index) =>
    sample.schema.ref === group.schemaRef ? [{ seq: firstSeq + index, sample }] : [],
  );
  return Array.from(group.seqs, (seq, row) => {
    const from = own.findIndex((one) => one.seq === seq);
    return own.slice(from, from + (group.sizes[row] ?? 0)).map(({ sample }) => sample);
  });
}

function expectColumn(column: BucketColumn, row: number, values: readonly (number | null)[]): void {
  const there = values.filter((value) => value !== null);
  const numbers = there.filter((value) => !Number.isNaN(value));
  expect(column.counts[row]).toBe(there.length);
  expect(column.numbers[row]).toBe(numbers.length);
  if (numbers.length === 0) {
    expect([column.min[row], column.max[row], column.sum[row]]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    return;
  }
  expect(column.min[row]).toBe(Math.min(...numbers));
  expect(column.max[row]).toBe(Math.max(...numbers));
  const sum = numbers.reduce((total, value) => total + value, 0);
  const size = numbers.reduce((total, value) => total + Math.abs(value), 0);
  const found = column.sum[row] ?? Number.NaN;
  if (numbers.some((value) => !Number.isFinite(value))) expect(Number.isFinite(found)).toBe(false);
  // Beyond the largest double the order of additions decides what is left of a sum.
  else if (Number.isFinite(size)) expect(Math.abs(found - sum)).toBeLessThanOrEqual(size * 1e-9);
}

describe('buckets', () => {
  it('say of their samples what is true, however often they are halved', () => {
    fc.assert(
      fc.property(frameArb, fc.boolean(), ({ firstSeq, samples, doublings }, apart) => {
        let groups = buckets(firstSeq, samples);
        let window = 1;
        for (const doubling of doublings) {
          window *= 2 ** doubling;
          groups = coarsen(groups, { window, apart });
        }
        for (const group of groups) {
          const members = membersOf(group, firstSeq, samples);
          expect(members.flat().length).toBe(
            samples.filter(({ schema }) => schema.ref === group.schemaRef).length,
          );
          members.forEach((inside, row) => {
            const times = inside.map(({ ts }) => ts);
            expect(group.ts[row]).toBe(Math.min(...times));
            expect(group.spans[row]).toBe(Math.max(...times) - Math.min(...times));
            expect(group.mono[row]).toBe(inside[0]?.mono);
            group.columns.forEach((column, index) => {
              if (column === null) throw new Error('no column');
              expectColumn(
                column,
                row,
                inside.map(({ values }) => values[index] ?? null),
              );
            });
          });
        }
      }),
      { numRuns: RUNS },
    );
  });

  it('come out the same, thinned in steps or at once, and in parts or whole', () => {
    fc.assert(
      fc.property(frameArb, ({ firstSeq, samples, doublings, cut }) => {
        // Spans that no double tells exactly part buckets too, and where depends on the order.
        fc.pre(samples.every(({ ts }) => Math.abs(ts) < 2 ** 51));
        const whole = buckets(firstSeq, samples);
        const window = 2 ** doublings.reduce((sum, one) => sum + one, 0);
        const once = coarsen(whole, { window, apart: false });
        const at = firstSeq + Math.floor(cut * samples.length);
        const last = firstSeq + samples.length - 1;
        // Cut at the edge of a window, as a bucket never reaches across a frame's end.
        const edge = Math.min(last + 1, Math.max(firstSeq, Math.floor((at - 1) / window) * window + 1));
        let parts = [sliceBuckets(whole, firstSeq, edge - 1), sliceBuckets(whole, edge, last)];
        let width = 1;
        for (const doubling of doublings) {
          width *= 2 ** doubling;
          parts = parts.map((part) => coarsen(part, { window: width, apart: false }));
        }
        const exact = (groups: readonly BucketGroup[]) =>
          plain(groups)
            .map((group) => ({
              ...group,
              columns: group.columns.map((column) => column && { ...column, sum: [] }),
            }))
            .sort((a, b) => (a.schemaRef < b.schemaRef ? -1 : 1));
        expect(exact(joinBuckets(parts))).toEqual(exact(once));
      }),
      { numRuns: RUNS },
    );
  });

  it('keep sums of decimals decimal', () => {
    const [group] = coarsen(buckets(1, hostSamples(512)), { window: 64, apart: true });
    const load = group?.columns[14]?.sum ?? new Float64Array();
    expect(load.length).toBe(8);
    for (const sum of load) expect(String(sum)).toMatch(/^\d+(\.\d{1,2})?$/);
  });

  it('stay apart where time jumps, and do not when told so', () => {
    const samples = hostSamples(64).map((sample, index) =>
      index < 33 ? sample : { ...sample, ts: sample.ts + 86_400_000 },
    );
    const spans = (apart: boolean) =>
      coarsen(buckets(1, samples), { window: 16, apart }).flatMap((group) => [...group.spans]);
    expect(spans(true)).toHaveLength(5);
    expect(Math.max(...spans(true))).toBeLessThan(20_000);
    expect(spans(false)).toHaveLength(4);
    expect(Math.max(...spans(false))).toBeGreaterThan(80_000_000);
  });
});

describe('a thinned frame', () => {
  it('gives back every bucket, bit for bit', () => {
    fc.assert(
      fc.property(frameArb, fc.boolean(), ({ epoch, firstSeq, samples, doublings }, apart) => {
        const groups = coarsen(buckets(firstSeq, samples), { window: 2 ** (doublings[0] ?? 1), apart });
        const bytes = encodeDownsampled({ epoch, firstSeq, count: samples.length, groups });
        const times = samples.map(({ ts }) => ts);
        expect(verifyFrame(bytes)).toMatchObject({
          ...{ kind: 'thinned', epoch, firstSeq, count: samples.length },
          ...{ tsMin: Math.min(...times), tsMax: Math.max(...times) },
        });
        expect(plain(decodeDownsampled(bytes).groups)).toEqual(plain(groups));
        expect(schemaRefsOf(bytes)).toEqual(groups.map(({ schemaRef }) => schemaRef));
        const moved = resealFrame(bytes, { epoch: EPOCH, firstSeq: 7 });
        expect(plain(decodeDownsampled(moved).groups)).toEqual(
          plain(groups.map((group) => ({ ...group, seqs: group.seqs.map((seq) => seq - firstSeq + 7) }))),
        );
      }),
      { numRuns: RUNS },
    );
  });

  it('decodes only the columns that are asked for', () => {
    const groups = coarsen(buckets(1, hostSamples(60)), { window: 8, apart: true });
    const bytes = encodeDownsampled({ epoch: EPOCH, firstSeq: 1, count: 60, groups });
    const [group] = decodeDownsampled(bytes, { columns: () => [3] }).groups;
    expect(group?.columns.map((column) => column !== null)).toEqual(
      Array.from({ length: 17 }, (_, index) => index === 3),
    );
  });

  it('stands for any number of seqs, and for no more buckets than a frame holds', () => {
    const samples = hostSamples(4096);
    const first = coarsen(buckets(1, samples), { window: 4, apart: true });
    const second = coarsen(buckets(4097, hostSamples(4096, 2)), { window: 4, apart: true });
    const frame = { epoch: EPOCH, firstSeq: 1, count: 8192, groups: joinBuckets([first, second]) };
    expect(decodeDownsampled(encodeDownsampled(frame)).header.count).toBe(8192);
    const many = joinBuckets([buckets(1, samples), buckets(4097, samples)]);
    expect(() => encodeDownsampled({ ...frame, groups: many })).toThrow(
      expect.objectContaining({ code: 'too_large' }),
    );
    expect(MAX_FRAME_SAMPLES).toBe(4096);
  });

  it('is split where no bucket reaches across, also when sources alternate', () => {
    const other = internSchema({
      source: 'other',
      boot: 'b',
      series: [{ name: 'm', attributes: {}, unit: '1' }],
    });
    const samples = hostSamples(900).map((sample, index) =>
      index % 3 === 0 ? { ...sample, schema: other, values: [index] } : sample,
    );
    const groups = coarsen(buckets(5, samples), { window: 8, apart: true });
    const bytes = encodeDownsampled({ epoch: EPOCH, firstSeq: 5, count: 900, groups });
    const pieces = splitDownsampled(bytes, { maxBytes: 1500, maxRows: 64 });
    expect(pieces.length).toBeGreaterThan(3);
    let next = 5;
    for (const piece of pieces) {
      const { firstSeq, count } = readHeader(piece);
      expect(firstSeq).toBe(next);
      expect(piece.length).toBeLessThanOrEqual(1500);
      next += count;
    }
    expect(next).toBe(905);
    expect(plain(joinBuckets(pieces.map((piece) => decodeDownsampled(piece).groups)))).toEqual(plain(groups));
    // One window holds it all: there is nowhere to cut.
    const one = coarsen(groups, { window: 1024, apart: false });
    const lump = encodeDownsampled({ epoch: EPOCH, firstSeq: 5, count: 900, groups: one });
    expect(splitDownsampled(lump, { maxBytes: 10, maxRows: 1 })).toEqual([lump]);
  });

  const valid = coarsen(buckets(1, hostSamples(16)), { window: 4, apart: true })[0] as BucketGroup;
  const alter = (change: Partial<BucketGroup>) => () =>
    encodeDownsampled({ epoch: EPOCH, firstSeq: 1, count: 16, groups: [{ ...valid, ...change }] });
  it.each([
    ['sizes do not add up', { sizes: Float64Array.of(4, 4, 4, 5) }],
    ['seqs do not ascend', { seqs: Float64Array.of(1, 5, 5, 13) }],
    [
      'a seq belongs to no bucket',
      { seqs: Float64Array.of(1, 6, 10, 14), sizes: Float64Array.of(4, 4, 4, 3) },
    ],
    ['a span goes back', { spans: Float64Array.of(3000, -1, 3000, 3000) }],
    ['a figure is missing', { mono: new Float64Array(3) }],
    ['more values than samples', { sizes: Float64Array.of(3, 5, 4, 4) }],
  ] as const)('is refused when %s', (_, change) => {
    expect(alter({})).not.toThrow();
    expect(alter(change)).toThrow(FrameError);
  });

  it('that is short and claims much costs little', () => {
    const columns = 40;
    const rows = 4096;
    const varints = (value: number) => [(value & 127) | 128, value >>> 7];
    const payload = Uint8Array.of(
      ...[1, 2, 3, 4, 5, 6, columns, ...varints(rows)],
      // seq − firstSeq ascends by one; sizes are one; ts, spans and mono are 0; counts and numbers as sizes; the rest
      // constant.
      ...[0x10, 0, 0, 0, 0, ...Array.from({ length: columns }, () => [0x60, 0x60, 0, 0, 0]).flat()],
      ...[2, 1, 1, 1, 1, ...Array.from({ length: columns }, () => [1, 1, 1]).flat()],
      ...[0, 2, 2, 0, 0, 0, ...Array.from({ length: columns }, () => [2, 2, 2]).flat()],
    );
    const bytes = sealed({ count: rows, payload, flags: 2 });
    expect(bytes.length).toBeLessThan(512);
    const kept = [decodeDownsampled(bytes)];
    const before = process.memoryUsage().arrayBuffers;
    for (let copy = 0; copy < 20; copy += 1) kept.push(decodeDownsampled(bytes));
    expect((process.memoryUsage().arrayBuffers - before) / 20).toBeLessThan(2 ** 19);
    expect(kept[20]?.groups[0]?.columns[39]?.sum).toEqual(new Float64Array(rows).fill(1));
  });
});
