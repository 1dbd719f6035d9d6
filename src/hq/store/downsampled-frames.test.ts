/** Thinned frames in HQ's store: accounted once, shown as statistics, left alone by everything that reads samples. */
import fc from 'fast-check';
import { firstValueFrom } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import type { Bucket } from '../../protocol/bucket.ts';
import { encodeDownsampled, readHeader } from '../../protocol/frame-codec.ts';
import { epochKey } from './keys.ts';
import type { IngestFrame } from './store.ts';
import {
  closeStore,
  dataFrame,
  downsampledFrame,
  EPOCH,
  gapFrame,
  homes,
  openStore,
  SERIES,
  START,
  schema,
  testClock,
} from './testing/frames.ts';
import { ledgerOf, numbersOf, readBuckets } from './testing/read.ts';
import { KINDS, useStore } from './testing/use-store.ts';

const EVER = { from: 0, to: START * 2 };
const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, one) => total + one, 0);

/** One bucket of all the values: its mean, not its sum, is told. */
const ofAll = (buckets: readonly Bucket[]) => buckets.filter(({ count }) => count > 0);

/** A store of its own for each test, with what these tests read of agent `a1`. */
function useThinned(kind: (typeof KINDS)[number]) {
  const at = useStore(kind);
  return {
    at,
    buckets: (stepMs: number, range = { from: START, to: START + 400_000 }, series = SERIES) =>
      readBuckets(at.store, { series, stepMs, ...range }),
    seqs: async () => {
      const query = { agent: 'a1', limit: 10_000, cursor: null, ...EVER };
      const page = await firstValueFrom(at.store.samples(query));
      return page.items.map(({ seq }) => seq);
    },
    ledger: async () => (await ledgerOf(at.store))[0],
  };
}

describe.each(KINDS)('thinned frames in a store over %s', (kind) => {
  const { at, buckets, seqs, ledger } = useThinned(kind);

  it('are accounted as thinned, once, alongside what is stored and dropped', async () => {
    const outcomes = await at.append(
      downsampledFrame(1, 64, { window: 8 }),
      dataFrame(65, 70),
      gapFrame(71, 75, 'overflow_oldest'),
      downsampledFrame(1, 64, { window: 8 }),
    );
    const to = (contiguous: number) => ({ coverage: { contiguous, ranges: [] } });
    expect(outcomes).toEqual([
      { stored: 0, thinned: 64, dropped: 0, duplicates: 0, ...to(64) },
      { stored: 6, thinned: 0, dropped: 0, duplicates: 0, ...to(70) },
      { stored: 0, thinned: 0, dropped: 5, duplicates: 0, ...to(75) },
      { stored: 0, thinned: 0, dropped: 0, duplicates: 64, ...to(75) },
    ]);
    expect(await ledger()).toMatchObject({
      sampled: 75,
      stored: 6,
      pending: 0,
      thinned: { overflow: 64 },
      dropped: { overflow_oldest: 5 },
    });
    expect((await numbersOf(at.store)).counts).toEqual({
      sampled: 75,
      stored: 6,
      pending: 0,
      thinned: 64,
      dropped: 5,
    });
    expect(await seqs()).toEqual([65, 66, 67, 68, 69, 70]);
  });

  it('give the count, least, greatest and mean of what they stand for', async () => {
    await at.append(downsampledFrame(1, 64, { window: 8 }), dataFrame(65, 80));
    const [whole] = await buckets(400_000);
    expect(whole).toEqual({ t: START, count: 80, min: 1, max: 80, mean: 40.5, thinned: 64 });
    // The steps hold whole buckets: windows are of seqs 1–8, 9–16 …, and seq 1 is at 1 s.
    const steps = ofAll(await buckets(8_000, { from: START + 1_000, to: START + 81_000 }));
    expect(steps.slice(0, 2)).toEqual([
      { t: START + 1_000, count: 8, min: 1, max: 8, mean: 4.5, thinned: 8 },
      { t: START + 9_000, count: 8, min: 9, max: 16, mean: 12.5, thinned: 8 },
    ]);
    expect(steps.at(-1)).toEqual({ t: START + 73_000, count: 8, min: 73, max: 80, mean: 76.5 });
    expect(sum(steps.map(({ count }) => count))).toBe(80);
  });

  it('count whole in the bucket of their earliest sample, which says how far they reach', async () => {
    await at.append(downsampledFrame(1, 16, { window: 8 }));
    const steps = await buckets(2_000, { from: START + 1_000, to: START + 17_000 });
    expect(steps.map(({ count }) => count)).toEqual([8, 0, 0, 0, 8, 0, 0, 0]);
    expect(steps[0]).toEqual({
      t: START + 1_000,
      count: 8,
      min: 1,
      max: 8,
      mean: 4.5,
      thinned: 8,
      until: START + 8_000,
    });
    expect(steps[1]).toEqual({ t: START + 3_000, count: 0, min: null, max: null, mean: null });
  });
});

describe.each(KINDS)('thinned frames that come again, or odd ones, in a store over %s', (kind) => {
  const { at, buckets, seqs, ledger } = useThinned(kind);

  it('are cut down to what is new: a bucket counts when its first seq is', async () => {
    await at.append(dataFrame(5, 10), dataFrame(17, 20));
    const [outcome] = await at.append(downsampledFrame(1, 32, { window: 8 }));
    expect(outcome).toMatchObject({ stored: 0, thinned: 22, duplicates: 10 });
    expect(await ledger()).toMatchObject({ sampled: 32, stored: 10, pending: 0, thinned: { overflow: 22 } });
    // Of 1–8, 9–16, 17–24, 25–32 the first and the last begin with something new.
    const steps = await buckets(8_000, { from: START + 1_000, to: START + 33_000 });
    expect(steps.map(({ count, thinned }) => [count, thinned])).toEqual([
      [8 + 4, 8],
      [2, undefined],
      [4, undefined],
      [8, 8],
    ]);
    await at.append(dataFrame(1, 32));
    expect(await ledger()).toMatchObject({ stored: 10, thinned: { overflow: 22 } });
    expect(await seqs()).toEqual([5, 6, 7, 8, 9, 10, 17, 18, 19, 20]);
  });

  it('are accounted the same when the ledger is rebuilt from the records', async () => {
    await at.append(dataFrame(5, 10), downsampledFrame(1, 64, { window: 8 }), gapFrame(65, 70, 'damaged'));
    const before = await ledger();
    await at.reopen({}, (storage) =>
      firstValueFrom(storage.commit((writer) => writer.put(epochKey('a1', EPOCH), Buffer.from('?')))),
    );
    expect(await ledger()).toEqual(before);
    expect(before).toMatchObject({ stored: 6, thinned: { overflow: 58 }, dropped: { damaged: 6 } });
  });

  it('keep NaN, infinities and absent values apart from numbers', async () => {
    const column = (of: Partial<Record<'counts' | 'numbers' | 'min' | 'max' | 'sum', number>>) => ({
      counts: Float64Array.of(of.counts ?? 0),
      numbers: Float64Array.of(of.numbers ?? 0),
      min: Float64Array.of(of.min ?? Number.NaN),
      max: Float64Array.of(of.max ?? Number.NaN),
      sum: Float64Array.of(of.sum ?? Number.NaN),
    });
    const one = (firstSeq: number, columns: readonly ReturnType<typeof column>[]): IngestFrame => {
      const bytes = encodeDownsampled({
        epoch: EPOCH,
        firstSeq,
        count: 10,
        groups: [
          {
            schemaRef: schema.ref,
            seqs: Float64Array.of(firstSeq),
            sizes: Float64Array.of(10),
            ts: Float64Array.of(START + firstSeq * 1000),
            spans: Float64Array.of(9_000),
            mono: Float64Array.of(firstSeq * 1000),
            columns,
          },
        ],
      });
      return { agent: 'a1', header: readHeader(bytes), bytes, arrivalTs: START, lane: 'backlog' };
    };
    await at.append(
      one(1, [column({ counts: 4, numbers: 0 }), column({ counts: 0 })]),
      one(11, [
        column({ counts: 4, numbers: 2, min: 3, max: Infinity, sum: Infinity }),
        column({ counts: 0 }),
      ]),
    );
    const first = { from: START, to: START + 10_000 };
    expect(await buckets(10_000, first)).toEqual([
      { t: START, count: 4, min: 'NaN', max: 'NaN', mean: 'NaN', thinned: 4, until: START + 10_000 },
    ]);
    expect(ofAll(await buckets(20_000, { from: START + 11_000, to: START + 31_000 }))).toEqual([
      { t: START + 11_000, count: 4, min: 3, max: 'Infinity', mean: 'Infinity', thinned: 4 },
    ]);
    expect(ofAll(await buckets(400_000, undefined, 'sensor.value{sensor=2}'))).toEqual([]);
  });
});

describe.each(KINDS)('thinned frames and the background work of a store over %s', (kind) => {
  const { at, buckets, seqs, ledger } = useThinned(kind);

  it('are left as they are by compaction, which goes on around them', async () => {
    let into = 0;
    const onBad = vi.fn();
    await at.reopen({
      emit: (event) => {
        if (event.type === 'store_frames_compacted') into += event.into;
        if (event.type === 'store_frame_unreadable') onBad(event.error);
      },
    });
    const pairs = (first: number, last: number) =>
      Array.from({ length: (last - first + 1) / 2 }, (_, index) =>
        dataFrame(first + index * 2, first + 1 + index * 2),
      );
    await at.append(...pairs(1, 160), downsampledFrame(161, 224, { window: 8 }), ...pairs(225, 384));
    // Without a frame of another kind between them all of them were one run.
    await eventually(() => expect(into).toBeGreaterThanOrEqual(2), { interval: 50 });
    const [whole] = await buckets(400_000);
    expect(whole).toEqual({ t: START, count: 384, min: 1, max: 384, mean: 192.5, thinned: 64 });
    expect((await seqs()).length).toBe(320);
    expect(await ledger()).toMatchObject({ stored: 320, thinned: { overflow: 64 }, pending: 0 });
    expect(onBad).not.toHaveBeenCalled();
  });

  it('give their series a time, and retention removes them with the rest', async () => {
    const clock = testClock(START + 100_000);
    await at.reopen({ clock, maxAgeMs: 60_000 });
    await at.append(downsampledFrame(1, 64, { window: 8, arrivalTs: START + 90_000 }));
    await eventually(async () => {
      const known = (await firstValueFrom(at.store.series('a1'))).find(({ series }) => series === SERIES);
      expect(known).toMatchObject({ firstTs: START + 1_000, lastTs: START + 64_000 });
    });
    expect(await firstValueFrom(at.store.lastSampleTs(['a1', 'a2']))).toEqual([START + 64_000, null]);
    clock.set(START + 200_000);
    await eventually(async () => expect(ofAll(await buckets(400_000))).toEqual([]), { interval: 100 });
    expect(await ledger()).toMatchObject({ sampled: 64, thinned: { overflow: 64 }, pending: 0 });
  });
});

describe('whatever comes in whatever order', () => {
  const piece = fc.record({
    kind: fc.constantFrom('data', 'gap', 'thinned'),
    first: fc.integer({ min: 1, max: 60 }),
    length: fc.integer({ min: 1, max: 25 }),
    window: fc.constantFrom(2, 4, 8),
  });
  type Fate = 'stored' | 'thinned' | 'dropped';

  it('every seq has one fate, and every bucket counts once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 12 }), async (pieces) => {
        const home = homes.memory();
        const store = await openStore(await home.open());
        try {
          await firstValueFrom(store.putSchema('a1', schema));
          const fates = new Map<number, Fate>();
          let values = 0;
          for (const { kind, first, length, window } of pieces) {
            const last = first + length - 1;
            const fresh = (seq: number) => !fates.has(seq);
            const all = Array.from({ length }, (_, index) => first + index);
            // What the statistics count: samples that are new, and whole buckets whose first seq is.
            const windowOf = (seq: number) => Math.floor((seq - 1) / window);
            const bucketsAt = Map.groupBy(all, windowOf);
            if (kind === 'data') values += all.filter(fresh).length;
            else if (kind === 'thinned') {
              for (const [start = 0, ...rest] of bucketsAt.values())
                if (fresh(start)) values += 1 + rest.length;
            }
            const fate = { data: 'stored', gap: 'dropped', thinned: 'thinned' }[kind] as Fate;
            const added = all.filter(fresh);
            const frame =
              kind === 'data'
                ? dataFrame(first, last)
                : kind === 'gap'
                  ? gapFrame(first, last, 'overflow_oldest')
                  : downsampledFrame(first, last, { window });
            const [outcome] = await firstValueFrom(store.append([frame]));
            const counts = { stored: 0, thinned: 0, dropped: 0, [fate]: added.length };
            expect(outcome).toMatchObject({ ...counts, duplicates: length - added.length });
            for (const seq of added) fates.set(seq, fate);
          }
          const of = (fate: Fate) => [...fates.values()].filter((one) => one === fate).length;
          const [entry] = await ledgerOf(store);
          const sampled = Math.max(...fates.keys());
          expect(entry).toMatchObject({ sampled, stored: of('stored'), pending: sampled - fates.size });
          expect(sum(Object.values(entry?.thinned ?? {}))).toBe(of('thinned'));
          expect(sum(Object.values(entry?.dropped ?? {}))).toBe(of('dropped'));
          const buckets = await readBuckets(store, { stepMs: 7_000, from: START, to: START + 100_000 });
          expect(sum(buckets.map(({ count }) => count))).toBe(values);
        } finally {
          await closeStore(store);
          home.remove();
        }
      }),
      { numRuns: 60 },
    );
  });
});
