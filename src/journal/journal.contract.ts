/** What the journal promises, as tests. Run it on each Storage. */
import { firstValueFrom, lastValueFrom, take, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../tests/support/eventually.ts';
import { createSystemClock } from '../platform/clock.ts';
import { systemIds } from '../platform/ids.ts';
import type { Coverage } from '../protocol/coverage.ts';
import { decodeData, decodeGap, readHeader, samplesOf } from '../protocol/frame-codec.ts';
import { internSchema } from '../protocol/schema-ref.ts';
import type { Storage } from '../storage/storage.ts';
import { type JournalOptions, openJournal } from './journal.ts';
import { frameKey } from './keys.ts';
import type { Journal, JournalStats, PendingQuery, StoredFrame } from './port.ts';
import { noisySamples, TEST_SCHEMA, testSample, testSamples } from './testing/test-samples.ts';

export type JournalHarness = {
  readonly open: () => Promise<Storage>;
  /** Makes the stored value at `key` fail its checksum, while the storage is open. */
  readonly damage: (key: Uint8Array) => void;
  readonly dispose: () => void;
};

const clock = createSystemClock();

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
const upTo = (contiguous: number, ranges: Coverage['ranges'] = []): Coverage => ({ contiguous, ranges });
const valuesOf = (frames: readonly StoredFrame[]): (number | null | undefined)[] =>
  frames
    .filter(({ kind }) => kind === 'data')
    .flatMap(({ bytes }) => samplesOf(decodeData(bytes), () => TEST_SCHEMA))
    .map(({ sample }) => sample.values[0]);

export function describeJournalContract(name: string, createHarness: () => JournalHarness): void {
  describe(`${name} keeps the journal contract`, () => {
    let harness: JournalHarness;
    let journal: Journal;
    const open = async (options: Partial<JournalOptions> = {}) => {
      const storage = await harness.open();
      journal = await lastValueFrom(
        openJournal({
          storage,
          clock,
          ids: systemIds,
          policy: 'drop-oldest',
          maxBytes: 64 * 2 ** 20,
          ...options,
        }),
      );
      return journal;
    };
    const close = () => lastValueFrom(journal.close(), { defaultValue: undefined });
    const reopen = async (options: Partial<JournalOptions> = {}) => {
      await close();
      return open(options);
    };
    const append = (first: number, count: number) => lastValueFrom(journal.append(testSamples(first, count)));
    const release = (acked: Coverage) => lastValueFrom(journal.release(acked));

    beforeEach(async () => {
      harness = createHarness();
      await open();
    });
    afterEach(async () => {
      expectExactLedger(journal.stats());
      await close();
      harness.dispose();
    });

    it('gives seqs from 1 without holes and hands the frames back as they were encoded', async () => {
      const first = await append(1, 3);
      const second = await append(4, 2);
      expect(first).toMatchObject({ kind: 'committed', frame: { firstSeq: 1, lastSeq: 3, notable: false } });
      expect(second).toMatchObject({ kind: 'committed', frame: { firstSeq: 4, lastSeq: 5 } });
      const frames = await allPending(journal);
      expect(spans(frames)).toEqual(['data 1-3', 'data 4-5']);
      expect(valuesOf(frames)).toEqual([1, 2, 3, 4, 5]);
      expect(readHeader(frames[0]?.bytes ?? new Uint8Array()).epoch).toBe(journal.epoch);
      expect(journal.stats()).toMatchObject({
        sampled: 5,
        pending: 5,
        acked: 0,
        released: 0,
        pendingFrames: 2,
      });
    });

    it('keeps order when appends are subscribed together', async () => {
      const appended = await Promise.all([append(1, 2), append(3, 1), append(4, 3)]);
      expect(appended.map(({ frame }) => [frame.firstSeq, frame.lastSeq])).toEqual([
        [1, 2],
        [3, 3],
        [4, 6],
      ]);
    });

    it('keeps epoch, seqs, schemas and books across restarts', async () => {
      const { epoch } = journal;
      await append(1, 3);
      await append(4, 3);
      await release(upTo(3));
      const before = journal.stats();
      await reopen();
      expect(journal.epoch).toBe(epoch);
      expect(journal.stats()).toEqual(before);
      expect(journal.schema(TEST_SCHEMA.ref)).toEqual(TEST_SCHEMA);
      expect(await append(7, 1)).toMatchObject({ frame: { firstSeq: 7 } });
      expect(valuesOf(await allPending(journal))).toEqual([4, 5, 6, 7]);
    });

    it('continues the seqs after everything was released', async () => {
      await append(1, 5);
      await release(upTo(5));
      await reopen();
      expect(journal.stats()).toMatchObject({
        sampled: 5,
        acked: 5,
        released: 5,
        pending: 0,
        oldestPendingTs: null,
      });
      expect(await append(6, 1)).toMatchObject({ frame: { firstSeq: 6 } });
    });

    it('knows with how many samples the first run since the last greeting began, however many followed', async () => {
      const greet = () => lastValueFrom(journal.noteGreeting('first'));
      expect(journal.begun).toBe(0);
      await append(1, 5);
      await greet();
      await append(6, 5);
      await greet();
      await reopen();
      expect(journal.begun).toBe(10);
      await append(11, 5);
      await reopen();
      expect(journal.begun).toBe(10);
      await lastValueFrom(journal.noteGreeting('third'));
      await append(16, 5);
      expect(journal.begun).toBe(10);
      await reopen();
      expect(journal.begun).toBe(20);
    });

    it('keeps which HQ it speaks with, until it begins a new epoch', async () => {
      expect(journal.stats().hq).toBeNull();
      await append(1, 5);
      await lastValueFrom(journal.noteHq('north'));
      expect(journal.stats().hq).toBe('north');
      await reopen();
      expect(journal.stats()).toMatchObject({ hq: 'north', sampled: 5 });
      await lastValueFrom(journal.noteFork());
      await reopen();
      expect(journal.stats()).toMatchObject({ hq: null, pending: 5 });
    });

    it('mixes samples of several schemas in one frame', async () => {
      const other = internSchema({ ...TEST_SCHEMA, source: 'other' });
      await lastValueFrom(journal.append([testSample(1), testSample(2, { schema: other }), testSample(3)]));
      expect(spans(await allPending(journal))).toEqual(['data 1-3']);
      expect(journal.schema(other.ref)?.source).toBe('other');
    });

    it('splits what does not fit into one frame', async () => {
      const appended = await lastValueFrom(journal.append(testSamples(1, 5000)).pipe(toArray()));
      expect(appended.map(({ frame }) => frame.lastSeq - frame.firstSeq + 1)).toEqual([4096, 904]);
      expect(journal.stats().pending).toBe(5000);
    });

    it('reads pending frames in both orders, from a position, up to a limit', async () => {
      for (let n = 1; n <= 50; n += 1) await append(n, 1);
      const seqs = async (query: Partial<PendingQuery>) =>
        (await allPending(journal, query)).map((f) => f.firstSeq);
      expect(await seqs({})).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
      expect(await seqs({ order: 'newest' })).toEqual(Array.from({ length: 50 }, (_, index) => 50 - index));
      expect(await seqs({ after: 47 })).toEqual([48, 49, 50]);
      expect(await seqs({ order: 'newest', after: 3 })).toEqual([2, 1]);
      expect(await seqs({ limit: 2 })).toEqual([1, 2]);
      expect(await seqs({ after: 50 })).toEqual([]);
    });

    it('finds notable frames by themselves', async () => {
      for (let n = 1; n <= 30; n += 1) {
        await lastValueFrom(journal.append([testSample(n, { notable: n % 10 === 0 })]));
      }
      const seqs = async (query: Partial<PendingQuery>) =>
        (await allPending(journal, { notable: true, ...query })).map((frame) => frame.firstSeq);
      expect(await seqs({})).toEqual([10, 20, 30]);
      expect(await seqs({ order: 'newest', after: 30 })).toEqual([20, 10]);
      await release(upTo(15));
      expect(await seqs({})).toEqual([20, 30]);
    });

    it('releases whole frames and books the rest by seq', async () => {
      await append(1, 10);
      await append(11, 10);
      await append(21, 10);
      expect(await release(upTo(15))).toMatchObject({
        acked: 15,
        pending: 15,
        released: 10,
        pendingFrames: 2,
      });
      expect(await release(upTo(15, [[18, 25]]))).toMatchObject({
        acked: 23,
        pending: 7,
        pendingFrames: 2,
        frameSamples: 20,
      });
      expect(await release(upTo(25))).toMatchObject({ acked: 25, pending: 5, released: 20 });
      // Older and smaller acks change nothing, nor does one beyond what was sampled.
      expect(await release(upTo(3))).toMatchObject({ acked: 25, pending: 5 });
      expect(await release(upTo(1_000_000))).toMatchObject({ acked: 30, pending: 0, released: 30 });
      expect(await append(31, 1)).toMatchObject({ frame: { firstSeq: 31 } });
      expect(journal.stats()).toMatchObject({ acked: 30, pending: 1 });
    });

    it('releases newest first without losing sight of the oldest', async () => {
      for (let n = 0; n < 10; n += 1) await append(n * 5 + 1, 5);
      await release(upTo(0, [[26, 50]]));
      expect(journal.stats()).toMatchObject({ acked: 25, pending: 25, released: 0 });
      await reopen();
      expect(journal.stats()).toMatchObject({ acked: 25, pending: 25, dropped: {} });
      await release(upTo(25));
      expect(journal.stats()).toMatchObject({ acked: 50, pending: 0, released: 50 });
    });

    it('releases thousands of frames', async () => {
      await Promise.all(Array.from({ length: 3000 }, (_, index) => append(index + 1, 1)));
      expect(await release(upTo(2990))).toMatchObject({ acked: 2990, pending: 10, pendingFrames: 10 });
      expectExactLedger(journal.stats());
    });

    it('emits its stats at once and after every change', async () => {
      const seen = firstValueFrom(journal.stats$.pipe(take(3), toArray()));
      await append(1, 2);
      await release(upTo(1));
      expect((await seen).map(({ pending, acked }) => [pending, acked])).toEqual([
        [0, 0],
        [2, 0],
        [1, 1],
      ]);
    });

    it('tells the time of its oldest pending sample', async () => {
      expect(journal.stats().oldestPendingTs).toBeNull();
      await append(1, 2);
      await append(3, 2);
      expect(journal.stats().oldestPendingTs).toBe(testSample(1).ts);
      await release(upTo(2));
      expect(journal.stats().oldestPendingTs).toBe(testSample(3).ts);
    });

    it('turns a rejected frame into a gap and keeps the rest going', async () => {
      await append(1, 4);
      await append(5, 4);
      await release(upTo(0, [[2, 2]]));
      const stats = await lastValueFrom(journal.reject(1, 'malformed'));
      expect(stats).toMatchObject({ acked: 1, pending: 4, dropped: { rejected: 3 } });
      const frames = await allPending(journal);
      expect(spans(frames)).toEqual(['gap 1-1', 'gap 3-4', 'data 5-8']);
      const times = frames.map(({ tsMin, tsMax }) => [tsMin, tsMax]);
      const at = (seq: number) => testSample(seq).ts;
      expect(times, 'of the samples that a gap stands for').toEqual([
        [at(1), at(1)],
        [at(3), at(4)],
        [at(5), at(8)],
      ]);
      // Again, or where there is nothing: no change.
      expect(await lastValueFrom(journal.reject(1, 'again'))).toEqual(stats);
      expect(await lastValueFrom(journal.reject(99, 'unknown'))).toEqual(stats);
      expect(await release(upTo(4))).toMatchObject({ acked: 1, dropped: { rejected: 3 }, released: 4 });
    });

    it('leaves a frame alone that has been sealed into a larger one since it was condemned', async () => {
      for (let n = 1; n <= 600; n += 1) await append(n, 1);
      await lastValueFrom(journal.seal([]));
      expect(await lastValueFrom(journal.reject(5, 'bad', 5))).toMatchObject({ pending: 600, dropped: {} });
      const sealed = (await allPending(journal))[0];
      const { firstSeq = 0, lastSeq = 0 } = sealed ?? {};
      const stats = await lastValueFrom(journal.reject(firstSeq, 'bad', lastSeq));
      expect(stats.dropped.rejected).toBe(lastSeq - firstSeq + 1);
    });

    it('seals runs of small frames, once, around what is in flight', async () => {
      await reopen({ sealSamples: 10 });
      for (let n = 1; n <= 60; n += 1) {
        await lastValueFrom(journal.append([testSample(n, { notable: n === 3 })]));
      }
      const before = journal.stats();
      expect(await lastValueFrom(journal.seal([[31, 31]]))).toEqual({ merged: 59, sealed: 2 });
      const frames = await allPending(journal);
      expect(spans(frames)).toEqual(['data 1-30', 'data 31-31', 'data 32-60']);
      expect(frames.map(({ notable }) => notable)).toEqual([true, false, false]);
      expect(valuesOf(frames)).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
      expect(journal.stats()).toMatchObject({ sampled: 60, pending: 60, pendingFrames: 3 });
      expect(journal.stats().pendingBytes).toBeLessThan(before.pendingBytes / 2);
      expect(await lastValueFrom(journal.seal([]))).toEqual({ merged: 0, sealed: 0 });
      expect((await allPending(journal, { notable: true })).map(({ firstSeq }) => firstSeq)).toEqual([1]);
      for (let n = 61; n <= 70; n += 1) await append(n, 1);
      expect(await lastValueFrom(journal.seal([]))).toEqual({ merged: 10, sealed: 1 });
      await reopen({ sealSamples: 10 });
      expect(await lastValueFrom(journal.seal([]))).toEqual({ merged: 0, sealed: 0 });
    });

    it('seals a long backlog into frames of up to 4096 samples', async () => {
      await Promise.all(Array.from({ length: 1000 }, (_, index) => append(index * 10 + 1, 10)));
      expect(await lastValueFrom(journal.seal([]))).toEqual({ merged: 1000, sealed: 3 });
      expect(spans(await allPending(journal))).toEqual(['data 1-4090', 'data 4091-8180', 'data 8181-10000']);
    });

    it('seals what was sealed before into full frames, once, while new samples come', async () => {
      for (let block = 0; block < 20; block += 1) {
        await Promise.all(
          Array.from({ length: 6 }, (_, index) => append(block * 600 + index * 100 + 1, 100)),
        );
        await lastValueFrom(journal.seal([]));
      }
      const full = ['data 1-3600', 'data 3601-7200', 'data 7201-10800'];
      expect(spans(await allPending(journal))).toEqual([...full, 'data 10801-11400', 'data 11401-12000']);
      await reopen({});
      expect(await lastValueFrom(journal.seal([]))).toEqual({ merged: 0, sealed: 0 });
      expect(journal.stats()).toMatchObject({ sampled: 12_000, pending: 12_000, pendingFrames: 5 });
      expect(valuesOf(await allPending(journal))).toEqual(
        Array.from({ length: 12_000 }, (_, index) => index + 1),
      );
    });

    it('replaces a frame damaged on the disk by a gap, exactly', async () => {
      for (let n = 0; n < 5; n += 1) await append(n * 10 + 1, 10);
      const victim = (await allPending(journal))[2];
      if (victim === undefined) throw new Error('no frame');
      harness.damage(frameKey({ ...victim, size: victim.bytes.length }));
      const frames = await allPending(journal);
      expect(spans(frames)).toEqual(['data 1-10', 'data 11-20', 'gap 21-30', 'data 31-40', 'data 41-50']);
      expect(decodeGap(frames[2]?.bytes ?? new Uint8Array())).toMatchObject({ reason: 'damaged', count: 10 });
      expect(journal.stats()).toMatchObject({ sampled: 50, pending: 40, dropped: { damaged: 10 } });
    });

    describe('at its quota', () => {
      const append = (first: number, count: number) =>
        lastValueFrom(journal.append(noisySamples(first, count)));
      const fill = async () => {
        let n = 1;
        for (let stats = journal.stats(); !stats.overflowing && n < 5000; n += 20, stats = journal.stats()) {
          await append(n, 20);
        }
        return n - 1;
      };

      it('drops the oldest and leaves one gap', async () => {
        await reopen({ maxBytes: 65_536 });
        const sampled = await fill();
        expect(sampled).toBeGreaterThan(400);
        for (let n = 0; n < 20; n += 1) await append(sampled + n * 20 + 1, 20);
        const frames = await allPending(journal);
        const [gap, ...rest] = spans(frames);
        const dropped = journal.stats().dropped.overflow_oldest ?? 0;
        expect(dropped).toBeGreaterThanOrEqual(400);
        expect(gap).toBe(`gap 1-${dropped}`);
        expect(rest.every((span) => span.startsWith('data'))).toBe(true);
        expect(journal.stats()).toMatchObject({ sampled: sampled + 400, pending: sampled + 400 - dropped });
        expect(journal.stats().pendingBytes).toBeLessThan(65_536);
        await release(upTo(dropped));
        expect(journal.stats()).toMatchObject({ acked: 0, released: dropped });
      });

      it('counts only unacked seqs of a dropped frame', async () => {
        await append(1, 20);
        await append(21, 20);
        await release(upTo(0, [[5, 8]]));
        await reopen({ maxBytes: 65_536 });
        for (let n = 0; (journal.stats().dropped.overflow_oldest ?? 0) < 16 && n < 1000; n += 1) {
          await append(41 + n * 20, 20);
        }
        expect(journal.stats()).toMatchObject({ acked: 4, dropped: { overflow_oldest: 16 } });
        expect(spans(await allPending(journal, { limit: 2 }))).toEqual(['gap 1-4', 'gap 9-20']);
      });

      it('drops the newest: they get seqs and one gap', async () => {
        await reopen({ maxBytes: 65_536, policy: 'drop-newest' });
        const sampled = await fill();
        const outcome = await append(sampled + 1, 20);
        expect(outcome.kind).toBe('dropped');
        const frames = await allPending(journal, { order: 'newest', limit: 1 });
        expect(spans(frames)).toEqual([`gap ${sampled - 19}-${sampled + 20}`]);
        expect(journal.stats()).toMatchObject({ dropped: { overflow_newest: 40 }, overflowing: true });
        expect(spans(await allPending(journal, { limit: 1 }))).toEqual(['data 1-20']);
        await release(upTo(sampled - 100));
        expect(await append(sampled + 21, 20)).toMatchObject({ kind: 'committed' });
      });

      it('blocks until there is room, in order', async () => {
        await reopen({ maxBytes: 65_536, policy: 'block' });
        const done: number[] = [];
        const start = (first: number, count: number) =>
          journal.append(noisySamples(first, count)).subscribe(({ frame }) => done.push(frame.firstSeq));
        let n = 1;
        for (; !journal.stats().overflowing && n < 5000; n += 20) {
          start(n, 20);
          // A commit of its own: what was subscribed before has been decided when it ends.
          await release(upTo(0));
        }
        expect(journal.stats().overflowing).toBe(true);
        const waiting = n - 20;
        start(n, 1);
        await release(upTo(0));
        expect(done).not.toContain(waiting);
        await release(upTo(200));
        await eventually(() => expect(done.slice(-2)).toEqual([waiting, waiting + 20]));
        expect(journal.stats()).toMatchObject({ dropped: {}, sampled: n });
      });
    });
  });
}
