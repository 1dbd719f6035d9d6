import { concat, firstValueFrom, ignoreElements, throwError, timer } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { encodeSamples, readHeader } from '../../protocol/frame-codec.ts';
import type { Anomaly } from '../../protocol/sample.ts';
import { internSchema } from '../../protocol/schema-ref.ts';
import { keyText } from '../../storage/key-text.ts';
import { createMemoryDisk, createMemoryStorage } from '../../storage/memory/memory-storage.ts';
import { StorageError } from '../../storage/storage.ts';
import { epochKey, META_KEY } from './keys.ts';
import type { OpenedHqStore } from './open-hq-store.ts';
import { CursorError } from './query-samples.ts';
import { KeyReusedError } from './store.ts';
import {
  closeStore,
  dataFrame,
  EPOCH,
  gapFrame,
  homes,
  openStore,
  SERIES,
  START,
  sampleOf,
  schema,
  testClock,
} from './testing/frames.ts';
import { allSeqs, EVER, numbers, readPage } from './testing/read.ts';

describe.each(['memory', 'lmdb'] as const)('HQ store over %s', (kind) => {
  let home: ReturnType<(typeof homes)[typeof kind]>;
  let store: OpenedHqStore;
  beforeEach(async () => {
    home = homes[kind]();
    store = await openStore(await home.open());
    await firstValueFrom(store.putSchema('a1', schema));
  });
  afterEach(async () => {
    await closeStore(store);
    home.remove();
  });
  const append = (...frames: Parameters<OpenedHqStore['append']>[0]) => firstValueFrom(store.append(frames));
  const reopen = async () => {
    await closeStore(store);
    store = await openStore(await home.open());
  };

  it('stores overlapping and repeated frames once each and shows every sample once', async () => {
    const outcomes = await append(dataFrame(1, 10), dataFrame(5, 15), dataFrame(1, 15), dataFrame(21, 25));
    expect(outcomes.map(({ stored, duplicates }) => [stored, duplicates])).toEqual([
      [10, 0],
      [5, 6],
      [0, 15],
      [5, 0],
    ]);
    expect(outcomes[3]?.coverage).toEqual({ contiguous: 15, ranges: [[21, 25]] });
    const [filling] = await append(dataFrame(14, 30));
    expect(filling).toMatchObject({ stored: 10, duplicates: 7, coverage: { contiguous: 30, ranges: [] } });
    expect(await allSeqs(store)).toEqual(numbers(1, 30));
  });

  it('keeps frames, coverage and ledger over a restart', async () => {
    await append(dataFrame(1, 10), gapFrame(11, 20, 'overflow_oldest'), dataFrame(31, 40));
    store.observeSampled('a1', EPOCH, 50);
    await append(dataFrame(41, 41));
    const before = store.ledger('a1');
    await reopen();
    expect(store.ledger('a1')).toEqual(before);
    expect(before).toMatchObject([
      {
        epoch: EPOCH,
        sampled: 50,
        stored: 21,
        pending: 19,
        dropped: { overflow_oldest: 10 },
        contiguous: 20,
      },
    ]);
    expect((await append(dataFrame(1, 41)))[0]).toMatchObject({ stored: 10, duplicates: 31 });
    expect(store.agents()).toMatchObject([{ agent: 'a1', epoch: EPOCH }]);
  });

  it('keeps what was heard of an old epoch when the agent starts a new one', async () => {
    await append(dataFrame(1, 10));
    const note = { agent: 'a1', released: 0, ts: START };
    await firstValueFrom(store.noteEpoch({ ...note, epoch: EPOCH, sampled: 10 }));
    store.observeSampled('a1', EPOCH, 25);
    await firstValueFrom(store.noteEpoch({ ...note, epoch: 'bbbbbbbbbbbb', sampled: 3 }));
    await reopen();
    expect(store.ledger('a1')).toMatchObject([
      { epoch: EPOCH, sampled: 25, stored: 10, pending: 15 },
      { epoch: 'bbbbbbbbbbbb', sampled: 3, stored: 0, pending: 3 },
    ]);
    expect(store.counts('a1')).toEqual({ sampled: 28, stored: 10, pending: 18, thinned: 0, dropped: 0 });
    expect(store.agents()).toMatchObject([{ epoch: 'bbbbbbbbbbbb' }]);
  });

  it('keeps over a restart what an agent said it has at hello, even if nothing of it ever comes', async () => {
    const note = { agent: 'a1', epoch: EPOCH, released: 0, ts: START };
    await firstValueFrom(store.append([dataFrame(1, 10)]));
    await firstValueFrom(store.noteEpoch({ ...note, sampled: 10 }));
    await firstValueFrom(store.noteEpoch({ ...note, sampled: 500 }));
    await reopen();
    expect(store.ledger('a1')).toMatchObject([{ sampled: 500, stored: 10, pending: 490 }]);
  });

  it('shows a sample as it was measured, with the arrival of its frame', async () => {
    await append(dataFrame(1, 3, { arrivalTs: START + 99 }));
    const page = await readPage(store, 1, null);
    expect(page.items).toEqual([
      {
        epoch: EPOCH,
        seq: 1,
        ts: START + 1000,
        mono: 1000,
        boot: 'boot-1',
        source: 'sim',
        arrivalTs: START + 99,
        values: { 'sensor.value{sensor=1}': 1, 'sensor.value{sensor=2}': -1 },
        anomalies: [],
        diagnostics: [],
      },
    ]);
    expect(page.cursor).not.toBeNull();
  });

  it('pages through samples without losing or repeating any, whatever the order of arrival', async () => {
    await append(dataFrame(50, 60), dataFrame(1, 20), dataFrame(15, 55), dataFrame(61, 61));
    for (const limit of [1, 7, 61, 100]) expect(await allSeqs(store, limit)).toEqual(numbers(1, 61));
    const forged = firstValueFrom(store.samples({ agent: 'a1', limit: 1, cursor: 'x', ...EVER }));
    await expect(forged).rejects.toThrow(CursorError);
  });

  it('answers only what lies in the range, frames of many hours included', async () => {
    const long = dataFrame(1, 4096);
    await append(long, dataFrame(4097, 8000), dataFrame(10_000_001, 10_000_005));
    const range = { from: START + 4000 * 1000, to: START + 4100 * 1000 };
    const page = await firstValueFrom(store.samples({ agent: 'a1', limit: 1000, cursor: null, ...range }));
    expect(page.items.map(({ seq }) => seq)).toEqual(numbers(4000, 4099));
  });

  it('gives bucket statistics, and null where nothing came', async () => {
    await append(dataFrame(0 + 1, 9), dataFrame(5, 12), dataFrame(40, 49));
    const buckets = await firstValueFrom(
      store.buckets({
        agent: 'a1',
        source: 'sim',
        series: SERIES,
        stepMs: 10_000,
        from: START,
        to: START + 50_000,
      }),
    );
    expect(buckets).toEqual([
      { t: START, count: 9, min: 1, max: 9, mean: 5 },
      { t: START + 10_000, count: 3, min: 10, max: 12, mean: 11 },
      { t: START + 20_000, count: 0, min: null, max: null, mean: null },
      { t: START + 30_000, count: 0, min: null, max: null, mean: null },
      { t: START + 40_000, count: 10, min: 40, max: 49, mean: 44.5 },
    ]);
  });

  it('never mixes series of one name that two sources measure', async () => {
    const [source, twin] = ['sim', 'sim-2'].map((name) => internSchema({ ...schema, source: name }));
    if (source === undefined || twin === undefined) throw new Error('two sources');
    await firstValueFrom(store.putSchema('a1', twin));
    // Both in one frame, in turns.
    const samples = numbers(1, 20).map((seq) => ({
      ...sampleOf(seq),
      schema: seq % 2 === 0 ? source : twin,
      values: seq % 2 === 0 ? [1, 1] : [100, 100],
    }));
    const bytes = encodeSamples({ epoch: EPOCH, firstSeq: 1, samples });
    await append({ agent: 'a1', header: readHeader(bytes), bytes, arrivalTs: START, lane: 'live' });
    const range = { stepMs: 60_000, from: START, to: START + 60_000 };
    const of = (name: string) =>
      firstValueFrom(store.buckets({ agent: 'a1', source: name, series: SERIES, ...range }));
    expect(await of('sim')).toEqual([{ t: START, count: 10, min: 1, max: 1, mean: 1 }]);
    expect(await of('sim-2')).toEqual([{ t: START, count: 10, min: 100, max: 100, mean: 100 }]);
    expect(await of('other')).toMatchObject([{ count: 0 }]);
  });

  it('books what an agent has released and HQ lacks as lost, with the times around it', async () => {
    await append(dataFrame(11, 20));
    const coverage = await firstValueFrom(
      store.noteEpoch({ agent: 'a1', epoch: EPOCH, sampled: 40, released: 30, ts: START + 7 }),
    );
    expect(coverage).toEqual({ contiguous: 30, ranges: [] });
    expect(store.ledger('a1')).toMatchObject([
      {
        sampled: 40,
        stored: 10,
        pending: 10,
        dropped: { lost_at_hq: 20 },
        gaps: [
          { firstSeq: 1, lastSeq: 10, reason: 'lost_at_hq', toTs: START + 11_000 },
          { firstSeq: 21, lastSeq: 30, reason: 'lost_at_hq', fromTs: START + 20_000 },
        ],
      },
    ]);
  });

  it('stores HTTP samples in an epoch of its own, once per idempotency key', async () => {
    const samples = [sampleOf(1), sampleOf(2)];
    const contentHash = Buffer.alloc(32, 1);
    const request = { agent: 'web', samples, dedupKey: 'k', contentHash, arrivalTs: START };
    expect(await firstValueFrom(store.appendSamples(request))).toEqual({ duplicate: false, stored: 2 });
    expect(await firstValueFrom(store.appendSamples(request))).toEqual({ duplicate: true, stored: 0 });
    await reopen();
    expect(await firstValueFrom(store.appendSamples(request))).toEqual({ duplicate: true, stored: 0 });
    const changed = { ...request, contentHash: Buffer.alloc(32, 2) };
    expect(store.reusesKey(changed)).toBe(true);
    await expect(firstValueFrom(store.appendSamples(changed))).rejects.toThrow(KeyReusedError);
    expect(store.reusesKey({ ...changed, agent: 'other' })).toBe(false);
    expect(store.reusesKey({ ...changed, arrivalTs: START + 2 * 86_400_000 })).toBe(false);
    expect(store.ledger('web')[0]).toMatchObject({ sampled: 2, stored: 2 });
    const other = { ...request, dedupKey: 'other', arrivalTs: START + 1 };
    expect(await firstValueFrom(store.appendSamples(other))).toEqual({ duplicate: false, stored: 2 });
    const late = { ...request, arrivalTs: START + 2 * 86_400_000 };
    expect(await firstValueFrom(store.appendSamples(late))).toEqual({ duplicate: false, stored: 2 });
    const [entry, ...others] = store.ledger('web');
    expect(others).toEqual([]);
    expect(entry).toMatchObject({ sampled: 6, stored: 6, pending: 0, contiguous: 6 });
    expect(store.ownsEpoch('web', entry?.epoch ?? '')).toBe(true);
    expect(store.seriesCount('web')).toBe(2);
  });

  it('knows schemas after a restart and counts series once over boots, but for each source', async () => {
    const rebooted = internSchema({ ...schema, boot: 'boot-2' });
    await firstValueFrom(store.putSchema('a1', rebooted));
    await firstValueFrom(store.putSchema('a1', internSchema({ ...schema, source: 'other' })));
    await reopen();
    expect(store.schema('a1', rebooted.ref)).toEqual(rebooted);
    expect(store.schema('a2', rebooted.ref)).toBeUndefined();
    expect(store.seriesCount('a1')).toBe(4);
    expect(store.series('a1')).toHaveLength(4);
  });

  it('counts an open episode once however often it is reported, with the highest peak so far', async () => {
    const report = (peakZ: number): Anomaly => ({
      series: 0,
      state: 'open',
      startTs: START + 5000,
      peakTs: START + 5000 + peakZ,
      peakValue: 9,
      peakZ,
      mean: 1,
      stddev: 2,
      endTs: null,
    });
    const peaks: Readonly<Record<number, number>> = { 5: -4, 6: -9, 7: -6 };
    const indexed = firstValueFrom(store.indexed$);
    await append(
      dataFrame(1, 10, { anomalies: (seq) => (peaks[seq] === undefined ? [] : [report(peaks[seq])]) }),
    );
    await indexed;
    expect(store.anomalyCounts('a1')).toEqual({ open: 1, total: 1 });
    const during = { agent: 'a1', from: START, to: START + 10_000 };
    expect(await firstValueFrom(store.anomalies(during))).toMatchObject([
      { state: 'open', startTs: START + 5000, peakZ: -9, peakTs: START + 4991 },
    ]);
  });

  it('keeps apart the episodes of a series that two sources have', async () => {
    const report = (seq: number): Anomaly => ({
      ...{ series: 0, state: 'open', startTs: START + seq, peakTs: START + seq, peakValue: 9, peakZ: 4 },
      ...{ mean: 1, stddev: 2, endTs: null },
    });
    const twin = internSchema({ ...schema, source: 'twin' });
    await firstValueFrom(store.putSchema('a1', twin));
    // Of one start; the next of the twin leaves the other open.
    for (const [seq, of, startTs] of [
      [1, schema, 0],
      [2, twin, 0],
      [3, twin, 5],
    ] as const) {
      const indexed = firstValueFrom(store.indexed$);
      await append(dataFrame(seq, seq, { schema: of, anomalies: () => [report(startTs)] }));
      await indexed;
    }
    expect(store.anomalyCounts('a1')).toEqual({ open: 2, total: 3 });
    const later = { agent: 'a1', from: START + 10_000, to: START + 20_000 };
    expect(
      (await firstValueFrom(store.anomalies(later))).map(({ source, startTs }) => [source, startTs - START]),
    ).toEqual([
      ['sim', 0],
      ['twin', 5],
    ]);
  });

  it('merges the reports of an episode and tells when each series was measured', async () => {
    const report = (state: 'open' | 'closed', peakZ: number): Anomaly => ({
      series: 0,
      state,
      startTs: START + 5000,
      peakTs: START + 6000,
      peakValue: 9,
      peakZ,
      mean: 1,
      stddev: 2,
      endTs: state === 'closed' ? START + 8000 : null,
    });
    const indexed = firstValueFrom(store.indexed$);
    await append(
      dataFrame(1, 10, {
        anomalies: (seq) => (seq === 5 ? [report('open', 4)] : seq === 8 ? [report('closed', 6)] : []),
      }),
    );
    await indexed;
    expect(store.anomalyCounts('a1')).toEqual({ open: 0, total: 1 });
    const during = { agent: 'a1', from: START + 7000, to: START + 7500 };
    expect(await firstValueFrom(store.anomalies(during))).toMatchObject([
      {
        series: SERIES,
        source: 'sim',
        state: 'closed',
        startTs: START + 5000,
        endTs: START + 8000,
        peakZ: 6,
      },
    ]);
    expect(
      await firstValueFrom(store.anomalies({ ...during, from: START + 8001, to: START + 9000 })),
    ).toEqual([]);
    expect(store.series('a1')).toMatchObject([
      { series: SERIES, firstTs: START + 1000, lastTs: START + 10_000 },
      { series: 'sensor.value{sensor=2}' },
    ]);
  });
});

describe('HQ store when its storage fails', () => {
  it('acks nothing of a failed commit and stores its frames when they come again', async () => {
    const disk = createMemoryDisk();
    let fail = false;
    const refuseCommit = () => (fail ? new StorageError('io', 'disk gone') : null);
    const store = await openStore(createMemoryStorage({ disk, refuseCommit }));
    await firstValueFrom(store.append([dataFrame(1, 5)]));
    fail = true;
    await expect(firstValueFrom(store.append([dataFrame(6, 10)]))).rejects.toThrow('disk gone');
    expect(store.coverage('a1', EPOCH)).toEqual({ contiguous: 5, ranges: [] });
    fail = false;
    const [outcome] = await firstValueFrom(store.append([dataFrame(6, 10)]));
    expect(outcome).toMatchObject({ stored: 5, duplicates: 0, coverage: { contiguous: 10, ranges: [] } });
    await closeStore(store);
  });

  it('rebuilds the ledger of an epoch whose state is damaged', async () => {
    const disk = createMemoryDisk();
    const first = await openStore(createMemoryStorage({ disk }));
    await firstValueFrom(
      first.append([dataFrame(1, 100), gapFrame(101, 110, 'damaged'), dataFrame(121, 130)]),
    );
    const ledger = first.ledger('a1');
    await closeStore(first);
    expect(disk.records.delete(keyText(epochKey('a1', EPOCH)))).toBe(true);
    disk.orderedKeys = null;
    const second = await openStore(createMemoryStorage({ disk }));
    expect(second.ledger('a1')).toEqual(ledger);
    expect((await firstValueFrom(second.append([dataFrame(1, 130)])))[0]).toMatchObject({ stored: 10 });
    await closeStore(second);
  });
});

describe('what HQ keeps in memory', () => {
  it('follows a commit that got through although it was said to have failed', async () => {
    const storage = createMemoryStorage();
    let deceives = false;
    const store = await openStore({
      ...storage,
      commit: (work) => {
        const done = storage.commit(work);
        return deceives
          ? concat(
              done.pipe(ignoreElements()),
              throwError(() => new StorageError('io', 'who knows')),
            )
          : done;
      },
    });
    deceives = true;
    await expect(firstValueFrom(store.append([dataFrame(1, 10)]))).rejects.toThrow('who knows');
    deceives = false;
    expect(store.coverage('a1', EPOCH)).toEqual({ contiguous: 0, ranges: [] });
    const [outcome] = await firstValueFrom(store.append([dataFrame(1, 10)]));
    expect(outcome).toMatchObject({ stored: 0, duplicates: 10, coverage: { contiguous: 10 } });
    expect(store.coverage('a1', EPOCH)).toEqual({ contiguous: 10, ranges: [] });
    expect(store.ledger('a1')).toMatchObject([{ sampled: 10, stored: 10, pending: 0 }]);
    expect(store.agents()).toMatchObject([{ agent: 'a1' }]);
    await closeStore(store);
  });

  it('follows a commit that nobody waited for any more', async () => {
    const clock = testClock();
    const store = await openStore(createMemoryStorage({ commitDelayMs: 20, scheduler: clock.scheduler }));
    store
      .append([dataFrame(1, 10)])
      .subscribe()
      .unsubscribe();
    await firstValueFrom(timer(60));
    expect(store.ledger('a1')).toMatchObject([{ sampled: 10, stored: 10, pending: 0 }]);
    await closeStore(store);
  });

  it('numbers new frames behind the old ones when the store has lost its own record', async () => {
    const disk = createMemoryDisk();
    const clock = testClock(START + 1_000_000);
    const first = await openStore(createMemoryStorage({ disk }), { clock });
    await firstValueFrom(first.append([dataFrame(1, 10, { arrivalTs: START })]));
    await closeStore(first);
    expect(disk.records.delete(keyText(META_KEY))).toBe(true);
    disk.orderedKeys = null;
    const removed: number[] = [];
    const second = await openStore(createMemoryStorage({ disk }), {
      clock,
      maxAgeMs: 500_000,
      emit: (event) => {
        if (event.type === 'store_retention_removed') removed.push(event.samples);
      },
    });
    await firstValueFrom(second.append([dataFrame(11, 20, { arrivalTs: START + 900_000 })]));
    await eventually(() => expect(removed).toEqual([10]));
    expect(await allSeqs(second)).toEqual(numbers(11, 20));
    await closeStore(second);
  });
});
