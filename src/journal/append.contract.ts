/** What a journal promises of samples that are appended, and of what it says of them. */
import { firstValueFrom, lastValueFrom, take, toArray } from 'rxjs';
import { expect } from 'vitest';
import { readHeader } from '../protocol/frame-codec.ts';
import { internSchema } from '../protocol/schema-ref.ts';
import type { PendingQuery } from './port.ts';
import type { JournalPromises } from './testing/contract-rig.ts';
import { allPending, spans, upTo, valuesOf } from './testing/pending.ts';
import { TEST_SCHEMA, testSample, testSamples } from './testing/test-samples.ts';

export const APPEND_PROMISES: JournalPromises = {
  'gives seqs from 1 without holes and hands the frames back as they were encoded': async (rig) => {
    const first = await rig.append(1, 3);
    const second = await rig.append(4, 2);
    expect(first).toMatchObject({ kind: 'committed', frame: { firstSeq: 1, lastSeq: 3, notable: false } });
    expect(second).toMatchObject({ kind: 'committed', frame: { firstSeq: 4, lastSeq: 5 } });
    const frames = await allPending(rig.journal);
    expect(spans(frames)).toEqual(['data 1-3', 'data 4-5']);
    expect(valuesOf(frames)).toEqual([1, 2, 3, 4, 5]);
    expect(readHeader(frames[0]?.bytes ?? new Uint8Array()).epoch).toBe(rig.journal.epoch);
    expect(rig.journal.stats()).toMatchObject({
      sampled: 5,
      pending: 5,
      acked: 0,
      released: 0,
      pendingFrames: 2,
    });
  },
  'keeps order when appends are subscribed together': async (rig) => {
    const appended = await Promise.all([rig.append(1, 2), rig.append(3, 1), rig.append(4, 3)]);
    expect(appended.map(({ frame }) => [frame.firstSeq, frame.lastSeq])).toEqual([
      [1, 2],
      [3, 3],
      [4, 6],
    ]);
  },
  'keeps epoch, seqs, schemas and ledger across restarts': async (rig) => {
    const { epoch } = rig.journal;
    await rig.append(1, 3);
    await rig.append(4, 3);
    await rig.release(upTo(3));
    const before = rig.journal.stats();
    await rig.reopen();
    expect(rig.journal.epoch).toBe(epoch);
    expect(rig.journal.stats()).toEqual(before);
    expect(rig.journal.schema(TEST_SCHEMA.ref)).toEqual(TEST_SCHEMA);
    expect(await rig.append(7, 1)).toMatchObject({ frame: { firstSeq: 7 } });
    expect(valuesOf(await allPending(rig.journal))).toEqual([4, 5, 6, 7]);
  },
  'keeps where a source stood after the last of its samples, across restarts and a new epoch': async (
    rig,
  ) => {
    expect(rig.journal.position('test')).toBeNull();
    const at = (n: number) => ({ ...testSample(n), position: (rows: number) => `${n}/${rows}` });
    await lastValueFrom(rig.journal.append([at(1), testSample(2)]));
    expect(rig.journal.position(TEST_SCHEMA.source)).toBe('1/1');
    await lastValueFrom(rig.journal.append([at(3), at(4)]));
    await rig.append(5, 2);
    await rig.release(upTo(6));
    await rig.reopen();
    expect(rig.journal.position(TEST_SCHEMA.source)).toBe('4/1');
    expect(rig.journal.position('another')).toBeNull();
    await rig.reopen({ newEpoch: true });
    expect(rig.journal.position(TEST_SCHEMA.source)).toBe('4/1');
  },
  'continues the seqs after everything was released': async (rig) => {
    await rig.append(1, 5);
    await rig.release(upTo(5));
    await rig.reopen();
    expect(rig.journal.stats()).toMatchObject({
      sampled: 5,
      acked: 5,
      released: 5,
      pending: 0,
      oldestPendingTs: null,
    });
    expect(await rig.append(6, 1)).toMatchObject({ frame: { firstSeq: 6 } });
  },
  'knows with how many samples the first run since the last accepted hello began, however many followed':
    async (rig) => {
      const accept = () => lastValueFrom(rig.journal.noteAccepted('first'));
      expect(rig.journal.begun).toBe(0);
      await rig.append(1, 5);
      await accept();
      await rig.append(6, 5);
      await accept();
      await rig.reopen();
      expect(rig.journal.begun).toBe(10);
      await rig.append(11, 5);
      await rig.reopen();
      expect(rig.journal.begun).toBe(10);
      await lastValueFrom(rig.journal.noteAccepted('third'));
      await rig.append(16, 5);
      expect(rig.journal.begun).toBe(10);
      await rig.reopen();
      expect(rig.journal.begun).toBe(20);
    },
  'keeps which HQ it speaks with, until it begins a new epoch': async (rig) => {
    expect(rig.journal.stats().hq).toBeNull();
    await rig.append(1, 5);
    await lastValueFrom(rig.journal.noteHq('north'));
    expect(rig.journal.stats().hq).toBe('north');
    await rig.reopen();
    expect(rig.journal.stats()).toMatchObject({ hq: 'north', sampled: 5 });
    await lastValueFrom(rig.journal.noteFork());
    await rig.reopen();
    expect(rig.journal.stats()).toMatchObject({ hq: null, pending: 5 });
  },
  'mixes samples of several schemas in one frame': async (rig) => {
    const other = internSchema({ ...TEST_SCHEMA, source: 'other' });
    await lastValueFrom(rig.journal.append([testSample(1), testSample(2, { schema: other }), testSample(3)]));
    expect(spans(await allPending(rig.journal))).toEqual(['data 1-3']);
    expect(rig.journal.schema(other.ref)?.source).toBe('other');
  },
  'splits what does not fit into one frame': async (rig) => {
    const appended = await lastValueFrom(rig.journal.append(testSamples(1, 5000)).pipe(toArray()));
    expect(appended.map(({ frame }) => frame.lastSeq - frame.firstSeq + 1)).toEqual([4096, 904]);
    expect(rig.journal.stats().pending).toBe(5000);
  },
  'reads pending frames in both orders, from a position, up to a limit': async (rig) => {
    for (let n = 1; n <= 50; n += 1) await rig.append(n, 1);
    const seqs = async (query: Partial<PendingQuery>) =>
      (await allPending(rig.journal, query)).map((f) => f.firstSeq);
    expect(await seqs({})).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
    expect(await seqs({ order: 'newest' })).toEqual(Array.from({ length: 50 }, (_, index) => 50 - index));
    expect(await seqs({ after: 47 })).toEqual([48, 49, 50]);
    expect(await seqs({ order: 'newest', after: 3 })).toEqual([2, 1]);
    expect(await seqs({ limit: 2 })).toEqual([1, 2]);
    expect(await seqs({ after: 50 })).toEqual([]);
  },
  'finds notable frames by themselves': async (rig) => {
    for (let n = 1; n <= 30; n += 1) {
      await lastValueFrom(rig.journal.append([testSample(n, { notable: n % 10 === 0 })]));
    }
    const seqs = async (query: Partial<PendingQuery>) =>
      (await allPending(rig.journal, { notable: true, ...query })).map((frame) => frame.firstSeq);
    expect(await seqs({})).toEqual([10, 20, 30]);
    expect(await seqs({ order: 'newest', after: 30 })).toEqual([20, 10]);
    await rig.release(upTo(15));
    expect(await seqs({})).toEqual([20, 30]);
  },
  'emits its stats at once and after every change': async (rig) => {
    const seen = firstValueFrom(rig.journal.stats$.pipe(take(3), toArray()));
    await rig.append(1, 2);
    await rig.release(upTo(1));
    expect((await seen).map(({ pending, acked }) => [pending, acked])).toEqual([
      [0, 0],
      [2, 0],
      [1, 1],
    ]);
  },
  'tells the time of its oldest pending sample': async (rig) => {
    expect(rig.journal.stats().oldestPendingTs).toBeNull();
    await rig.append(1, 2);
    await rig.append(3, 2);
    expect(rig.journal.stats().oldestPendingTs).toBe(testSample(1).ts);
    await rig.release(upTo(2));
    expect(rig.journal.stats().oldestPendingTs).toBe(testSample(3).ts);
  },
};
