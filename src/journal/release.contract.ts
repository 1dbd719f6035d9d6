/** What a journal promises of samples that were delivered, refused, compacted or damaged. */
import { lastValueFrom } from 'rxjs';
import { expect } from 'vitest';
import { decodeGap } from '../protocol/frame-codec.ts';
import { frameKey, STATE_KEY } from './keys.ts';
import type { JournalPromises } from './testing/contract-rig.ts';
import { allPending, expectExactLedger, spans, upTo, valuesOf } from './testing/pending.ts';
import { testSample } from './testing/test-samples.ts';

export const RELEASE_PROMISES: JournalPromises = {
  'releases whole frames and accounts for the rest by seq': async (rig) => {
    await rig.append(1, 10);
    await rig.append(11, 10);
    await rig.append(21, 10);
    expect(await rig.release(upTo(15))).toMatchObject({
      acked: 15,
      pending: 15,
      released: 10,
      pendingFrames: 2,
    });
    expect(await rig.release(upTo(15, [[18, 25]]))).toMatchObject({
      acked: 23,
      pending: 7,
      pendingFrames: 2,
      frameSamples: 20,
    });
    expect(await rig.release(upTo(25))).toMatchObject({ acked: 25, pending: 5, released: 20 });
    // Older and smaller acks change nothing, nor does one beyond what was sampled.
    expect(await rig.release(upTo(3))).toMatchObject({ acked: 25, pending: 5 });
    expect(await rig.release(upTo(1_000_000))).toMatchObject({ acked: 30, pending: 0, released: 30 });
    expect(await rig.append(31, 1)).toMatchObject({ frame: { firstSeq: 31 } });
    expect(rig.journal.stats()).toMatchObject({ acked: 30, pending: 1 });
  },
  'releases newest first without losing sight of the oldest': async (rig) => {
    for (let n = 0; n < 10; n += 1) await rig.append(n * 5 + 1, 5);
    await rig.release(upTo(0, [[26, 50]]));
    expect(rig.journal.stats()).toMatchObject({ acked: 25, pending: 25, released: 0 });
    await rig.reopen();
    expect(rig.journal.stats()).toMatchObject({ acked: 25, pending: 25, dropped: {} });
    await rig.release(upTo(25));
    expect(rig.journal.stats()).toMatchObject({ acked: 50, pending: 0, released: 50 });
  },
  'keeps the state of the pipeline over restarts, apart from its samples': async (rig) => {
    const kept = () => [...(rig.journal.keptState() ?? [])];
    expect(rig.journal.keptState()).toBeUndefined();
    await rig.append(1, 3);
    await lastValueFrom(rig.journal.keepState(Uint8Array.of(1, 2, 3)));
    await lastValueFrom(rig.journal.keepState(Uint8Array.of(4, 5)));
    expect(kept()).toEqual([4, 5]);
    await rig.reopen();
    expect(kept()).toEqual([4, 5]);
    await rig.reopen({ newEpoch: true });
    expect(kept()).toEqual([4, 5]);
    expect(rig.journal.stats()).toMatchObject({ sampled: 3, pending: 3 });
    await rig.close();
    rig.harness.damage(STATE_KEY);
    await rig.reopen();
    expect(rig.journal.keptState()).toBeUndefined();
    expect(rig.journal.stats()).toMatchObject({ sampled: 3, pending: 3 });
  },
  'releases thousands of frames': async (rig) => {
    await Promise.all(Array.from({ length: 3000 }, (_, index) => rig.append(index + 1, 1)));
    expect(await rig.release(upTo(2990))).toMatchObject({ acked: 2990, pending: 10, pendingFrames: 10 });
    expectExactLedger(rig.journal.stats());
  },
  'turns a rejected frame into a gap and keeps the rest going': async (rig) => {
    await rig.append(1, 4);
    await rig.append(5, 4);
    await rig.release(upTo(0, [[2, 2]]));
    const stats = await lastValueFrom(rig.journal.reject(1, 'malformed'));
    expect(stats).toMatchObject({ acked: 1, pending: 4, dropped: { rejected: 3 } });
    const frames = await allPending(rig.journal);
    expect(spans(frames)).toEqual(['gap 1-1', 'gap 3-4', 'data 5-8']);
    const times = frames.map(({ tsMin, tsMax }) => [tsMin, tsMax]);
    const at = (seq: number) => testSample(seq).ts;
    expect(times, 'of the samples that a gap stands for').toEqual([
      [at(1), at(1)],
      [at(3), at(4)],
      [at(5), at(8)],
    ]);
    // Again, or where there is nothing: no change.
    expect(await lastValueFrom(rig.journal.reject(1, 'again'))).toEqual(stats);
    expect(await lastValueFrom(rig.journal.reject(99, 'unknown'))).toEqual(stats);
    expect(await rig.release(upTo(4))).toMatchObject({ acked: 1, dropped: { rejected: 3 }, released: 4 });
  },
  'leaves a frame alone that has been compacted into a larger one since it was condemned': async (rig) => {
    for (let n = 1; n <= 600; n += 1) await rig.append(n, 1);
    await lastValueFrom(rig.journal.compact([]));
    expect(await lastValueFrom(rig.journal.reject(5, 'bad', 5))).toMatchObject({ pending: 600, dropped: {} });
    const compacted = (await allPending(rig.journal))[0];
    const { firstSeq = 0, lastSeq = 0 } = compacted ?? {};
    const stats = await lastValueFrom(rig.journal.reject(firstSeq, 'bad', lastSeq));
    expect(stats.dropped.rejected).toBe(lastSeq - firstSeq + 1);
  },
  'compacts runs of small frames, once, around what is in flight': async (rig) => {
    await rig.reopen({ compactSamples: 10 });
    for (let n = 1; n <= 60; n += 1) {
      await lastValueFrom(rig.journal.append([testSample(n, { notable: n === 3 })]));
    }
    const before = rig.journal.stats();
    expect(await lastValueFrom(rig.journal.compact([[31, 31]]))).toEqual({ merged: 59, compacted: 2 });
    const frames = await allPending(rig.journal);
    expect(spans(frames)).toEqual(['data 1-30', 'data 31-31', 'data 32-60']);
    expect(frames.map(({ notable }) => notable)).toEqual([true, false, false]);
    expect(valuesOf(frames)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
    expect(rig.journal.stats()).toMatchObject({ sampled: 60, pending: 60, pendingFrames: 3 });
    expect(rig.journal.stats().pendingBytes).toBeLessThan(before.pendingBytes / 2);
    expect(await lastValueFrom(rig.journal.compact([]))).toEqual({ merged: 0, compacted: 0 });
    expect((await allPending(rig.journal, { notable: true })).map(({ firstSeq }) => firstSeq)).toEqual([1]);
    for (let n = 61; n <= 70; n += 1) await rig.append(n, 1);
    expect(await lastValueFrom(rig.journal.compact([]))).toEqual({ merged: 10, compacted: 1 });
    await rig.reopen({ compactSamples: 10 });
    expect(await lastValueFrom(rig.journal.compact([]))).toEqual({ merged: 0, compacted: 0 });
  },
  'compacts a long backlog into frames of up to 4096 samples': async (rig) => {
    await Promise.all(Array.from({ length: 1000 }, (_, index) => rig.append(index * 10 + 1, 10)));
    expect(await lastValueFrom(rig.journal.compact([]))).toEqual({ merged: 1000, compacted: 3 });
    expect(spans(await allPending(rig.journal))).toEqual([
      'data 1-4090',
      'data 4091-8180',
      'data 8181-10000',
    ]);
  },
  'compacts what was compacted before into full frames, once, while new samples come': async (rig) => {
    for (let block = 0; block < 20; block += 1) {
      await Promise.all(
        Array.from({ length: 6 }, (_, index) => rig.append(block * 600 + index * 100 + 1, 100)),
      );
      await lastValueFrom(rig.journal.compact([]));
    }
    const full = ['data 1-3600', 'data 3601-7200', 'data 7201-10800'];
    expect(spans(await allPending(rig.journal))).toEqual([...full, 'data 10801-11400', 'data 11401-12000']);
    await rig.reopen({});
    expect(await lastValueFrom(rig.journal.compact([]))).toEqual({ merged: 0, compacted: 0 });
    expect(rig.journal.stats()).toMatchObject({ sampled: 12_000, pending: 12_000, pendingFrames: 5 });
    expect(valuesOf(await allPending(rig.journal))).toEqual(
      Array.from({ length: 12_000 }, (_, index) => index + 1),
    );
  },
  'replaces a frame damaged on the disk by a gap, exactly': async (rig) => {
    for (let n = 0; n < 5; n += 1) await rig.append(n * 10 + 1, 10);
    const victim = (await allPending(rig.journal))[2];
    if (victim === undefined) throw new Error('no frame');
    rig.harness.damage(frameKey({ ...victim, size: victim.bytes.length }));
    const frames = await allPending(rig.journal);
    expect(spans(frames)).toEqual(['data 1-10', 'data 11-20', 'gap 21-30', 'data 31-40', 'data 41-50']);
    expect(decodeGap(frames[2]?.bytes ?? new Uint8Array())).toMatchObject({ reason: 'damaged', count: 10 });
    expect(rig.journal.stats()).toMatchObject({ sampled: 50, pending: 40, dropped: { damaged: 10 } });
  },
};
