import { lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createSystemClock } from '../../platform/clock.ts';
import { systemIds } from '../../platform/ids.ts';
import { decodeData, decodeDownsampled } from '../../protocol/frame-codec.ts';
import type { Sample } from '../../protocol/sample.ts';
import {
  createMemoryDisk,
  createMemoryStorage,
  type MemoryDisk,
} from '../../storage/memory/memory-storage.ts';
import { type JournalOptions, openJournal } from '../journal.ts';
import { type FrameKey, LEDGER_KEY } from '../keys.ts';
import { decodeLedger } from '../ledger.ts';
import type { Journal, StoredFrame } from '../port.ts';
import { surveyJournal } from '../recovery/recovery.ts';
import { checkTruth } from '../testing/downsampled-truth.ts';
import { allPending, expectExactLedger, spans } from '../testing/pending.ts';
import { noisySamples, testSample } from '../testing/test-samples.ts';
import { chooseRuns, SURROUNDINGS } from './downsampling.ts';

const clock = createSystemClock();
const QUOTA = 256 * 1024;

const openOn = (disk: MemoryDisk, options: Partial<JournalOptions> = {}): Promise<Journal> =>
  lastValueFrom(
    openJournal({
      storage: createMemoryStorage({ disk }),
      clock,
      ids: systemIds,
      policy: 'thin',
      maxBytes: QUOTA,
      compactSamples: 64,
      ...options,
    }),
  );
const NOTHING = { rewritten: 0, thinned: 0, samples: 0, freedBytes: 0 };
const kindsOf = (frames: readonly StoredFrame[]) => [...new Set(frames.map(({ kind }) => kind))].sort();

/** Appends in small commits and thins after each, as an agent does while HQ is away. */
async function fill(
  journal: Journal,
  samples: readonly Sample[],
  inFlight: readonly [number, number][] = [],
) {
  for (let start = 0; start < samples.length; start += 50) {
    await lastValueFrom(journal.append(samples.slice(start, start + 50)));
    await lastValueFrom(journal.compact(inFlight));
    await lastValueFrom(journal.thin(inFlight));
  }
}

describe('thinning', () => {
  it('leaves a journal alone that is far from full, and under other policies', async () => {
    const journal = await openOn(createMemoryDisk());
    await fill(journal, noisySamples(1, 500));
    expect(await lastValueFrom(journal.thin([]))).toEqual(NOTHING);
    expect(journal.stats()).toMatchObject({ thinned: 0, crowded: false });
    const other = await openOn(createMemoryDisk(), { policy: 'drop-oldest' });
    await fill(other, noisySamples(1, 5_000));
    expect(await lastValueFrom(other.thin([]))).toEqual(NOTHING);
    expect(other.stats()).toMatchObject({ thinned: 0, crowded: false });
    expect(other.stats().dropped.overflow_oldest).toBeGreaterThan(0);
  });

  it('holds ten times the samples that fit, drops none, and is the coarser the older', async () => {
    const disk = createMemoryDisk();
    const journal = await openOn(disk);
    await fill(journal, noisySamples(1, 20_000));
    const stats = journal.stats();
    expect(stats).toMatchObject({ sampled: 20_000, pending: 20_000, dropped: {}, overflowing: false });
    expectExactLedger(stats);
    const frames = await allPending(journal);
    let next = 1;
    const width: number[] = [];
    for (const frame of frames) {
      expect(frame.firstSeq).toBe(next);
      next = frame.lastSeq + 1;
      let seq = frame.firstSeq;
      checkTruth(frame, () => noisySamples(seq++, 1)[0] as Sample);
      const rows =
        frame.kind === 'thinned'
          ? decodeDownsampled(frame.bytes).groups.reduce((sum, { seqs }) => sum + seqs.length, 0)
          : frame.lastSeq - frame.firstSeq + 1;
      width.push((frame.lastSeq - frame.firstSeq + 1) / rows);
    }
    expect(next).toBe(20_001);
    const quarter = Math.floor(width.length / 4);
    expect(Math.min(...width.slice(0, quarter))).toBeGreaterThan(Math.max(...width.slice(-quarter)));
    expect(frames.at(-1)?.kind).toBe('data');
    expect(createMemoryStorage({ disk }).read(surveyJournal).healthy).toBe(true);
  });

  it('keeps anomalies and what surrounds them whole, also beyond the edges of frames', async () => {
    const journal = await openOn(createMemoryDisk());
    const notable = new Set([64, 65, 700, 701, 1_000, 2_500]);
    const samples = Array.from({ length: 8_000 }, (_, index) => {
      const [noisy] = noisySamples(index + 1, 1);
      const { anomalies } = testSample(index + 1, { notable: notable.has(index + 1) });
      // Every other sample is of another schema: what is around an anomaly is counted in its own.
      return index % 2 === 0
        ? { ...(noisy as Sample), anomalies }
        : testSample(index + 1, { notable: notable.has(index + 1) });
    });
    await fill(journal, samples);
    const frames = await allPending(journal);
    expect(journal.stats()).toMatchObject({ pending: 8_000, dropped: {} });
    const whole = new Set<number>();
    for (const frame of frames) {
      let seq = frame.firstSeq - 1;
      checkTruth(frame, () => samples[seq++] as Sample);
      if (frame.kind === 'data')
        for (const { seqs } of decodeData(frame.bytes).groups) for (const one of seqs) whole.add(one);
    }
    for (const seq of notable) {
      for (let away = -SURROUNDINGS; away <= SURROUNDINGS; away += 1) {
        const neighbour = seq + 2 * away;
        if (neighbour >= 1) expect(whole, `${neighbour} around ${seq}`).toContain(neighbour);
      }
    }
    expect(whole.size).toBeLessThan(5_000);
    const notes = frames
      .filter(({ kind }) => kind === 'data')
      .flatMap(({ bytes }) =>
        decodeData(bytes).groups.flatMap(({ seqs, notes: all }) => all.map(({ row }) => seqs[row])),
      );
    expect(notes.sort((a, b) => (a ?? 0) - (b ?? 0))).toEqual([...notable]);
  });

  it('gives up what surrounds anomalies before it drops anything, and the anomalies last', async () => {
    const journal = await openOn(createMemoryDisk());
    const samples = noisySamples(1, 8_000).map((sample, index) => ({
      ...sample,
      anomalies: testSample(1, { notable: index % 40 === 0 }).anomalies,
    }));
    await fill(journal, samples);
    expect(journal.stats()).toMatchObject({ pending: 8_000, dropped: {} });
    const whole = (await allPending(journal))
      .filter(({ kind }) => kind === 'data')
      .flatMap(({ bytes }) => decodeData(bytes).groups.flatMap(({ seqs }) => [...seqs]));
    for (let seq = 1; seq <= 8_000; seq += 40) expect(whole).toContain(seq);
  });

  it('leaves out what is on its way, and what HQ has a part of', async () => {
    const journal = await openOn(createMemoryDisk());
    await fill(journal, noisySamples(1, 1_000));
    const [first, second, third] = spans(await allPending(journal));
    const frames = await allPending(journal);
    const partly = frames[1];
    await lastValueFrom(
      journal.release({
        contiguous: 0,
        ranges: [[(partly?.firstSeq ?? 0) + 1, (partly?.firstSeq ?? 0) + 2]],
      }),
    );
    await fill(journal, noisySamples(1_001, 10_000), [[frames[0]?.firstSeq ?? 0, frames[0]?.firstSeq ?? 0]]);
    const after = spans(await allPending(journal));
    expect(after.slice(0, 2)).toEqual([first, second]);
    expect(after).not.toContain(third);
    expectExactLedger(journal.stats());
  });

  it('drops the oldest, and counts it, where samples come faster than it is called', async () => {
    const journal = await openOn(createMemoryDisk());
    for (let n = 0; n < 5_000; n += 100) await lastValueFrom(journal.append(noisySamples(n + 1, 100)));
    expect(journal.stats().dropped.overflow_oldest).toBeGreaterThan(0);
    expect(journal.stats()).toMatchObject({ overflowing: true, crowded: true });
    await lastValueFrom(journal.thin([]));
    expect(journal.stats()).toMatchObject({ crowded: false });
    expectExactLedger(journal.stats());
  });

  it('delivers, rejects and renews thinned frames as others', async () => {
    const disk = createMemoryDisk();
    let journal = await openOn(disk);
    await fill(journal, noisySamples(1, 6_000));
    const [first, second] = (await allPending(journal)).filter(({ kind }) => kind === 'thinned');
    if (first === undefined || second === undefined) throw new Error('nothing was thinned');
    const { thinned } = journal.stats();
    await lastValueFrom(journal.release({ contiguous: first.lastSeq, ranges: [] }));
    expect(journal.stats().thinned).toBe(thinned - first.lastSeq);
    await lastValueFrom(journal.reject(second.firstSeq, 'no', second.lastSeq));
    const count = second.lastSeq - second.firstSeq + 1;
    expect(journal.stats().dropped).toEqual({ rejected: count });
    expect(journal.stats().thinned).toBe(thinned - first.lastSeq - count);
    const before = journal.stats();
    journal = await openOn(disk, { newEpoch: true });
    expect(journal.stats()).toMatchObject({ pending: before.pending, thinned: before.thinned, acked: 0 });
    const renewed = await allPending(journal);
    expect(kindsOf(renewed)).toEqual(['data', 'gap', 'thinned']);
    for (const frame of renewed.filter(({ kind }) => kind !== 'gap')) {
      let seq = first.lastSeq + frame.firstSeq;
      checkTruth(frame.kind === 'thinned' ? frame : frame, () => noisySamples(seq++, 1)[0] as Sample);
    }
  });

  it('takes a ledger from before there was thinning', () => {
    const old = {
      version: 1,
      epoch: '0123456789ab',
      sampled: 0,
      released: 0,
      pending: 0,
      frames: 0,
      frameBytes: 0,
    };
    const rest = { footprint: 0, dropped: {}, oldest: null, hasAcked: false };
    expect(LEDGER_KEY).toHaveLength(1);
    expect(decodeLedger(Buffer.from(JSON.stringify({ ...old, ...rest })))).toMatchObject({ thinned: 0 });
  });
});

describe('choosing', () => {
  const frames = (sizes: readonly number[]): FrameKey[] =>
    sizes.map((size, index) => ({
      firstSeq: index * 100 + 1,
      lastSeq: index * 100 + 100,
      kind: 'data',
      notable: false,
      size,
    }));

  it('takes the oldest of frames that are alike, as many as must be, adjacent ones together', () => {
    expect(chooseRuns(frames([1000, 1000, 1000, 1000]), { toFree: 500 })).toEqual([frames([1000, 1000])]);
    expect(chooseRuns(frames([1000, 1000]), { toFree: 0 })).toEqual([]);
  });

  it('weighs bytes a sample by age', () => {
    const [old, middle] = frames([100, 1500, 1500]);
    expect(chooseRuns(frames([100, 1500, 1500]), { toFree: 1 })).toEqual([[middle]]);
    expect(chooseRuns(frames([1500, 1500, 1500]), { toFree: 1 })).toEqual([[{ ...old, size: 1500 }]]);
  });
});
