import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { encodeSamples, readHeader } from '../../protocol/frame-codec.ts';
import type { Anomaly, Sample } from '../../protocol/sample.ts';
import type { AgentFrame, HqStore } from './store.ts';
import { EPOCH, SERIES, START, sampleOf } from './testing/frames.ts';
import { anomaliesOf, numbersOf } from './testing/read.ts';
import { KINDS, useStore } from './testing/use-store.ts';

const DAY = 86_400_000;
/** Microseconds taken for ms: the year 57,970. */
const ABSURD = START * 1000;
const BEFORE_YEAR_0 = Date.parse('0000-01-01T00:00:00Z') - 1;

function frameOf(firstSeq: number, samples: readonly Sample[], arrivalTs: number): AgentFrame {
  const bytes = encodeSamples({ epoch: EPOCH, firstSeq, samples });
  return { agent: 'a1', header: readHeader(bytes), bytes, arrivalTs, lane: 'live' };
}
const dated = (seq: number, ts: number, anomalies: readonly Anomaly[] = []): Sample => ({
  ...sampleOf(seq, anomalies),
  ts,
});
const timesOf = async (store: HqStore) => {
  const all = await firstValueFrom(store.series('a1'));
  const one = all.find(({ series }) => series === SERIES);
  return [one?.firstTs, one?.lastTs];
};
const lastTs = async (store: HqStore) => (await timesOf(store))[1];

const lastSampleTs = async (store: HqStore) => (await firstValueFrom(store.lastSampleTs(['a1'])))[0];

describe.each(KINDS)('samples with odd dates in a store over %s', (kind) => {
  const at = useStore(kind);
  const taken = async (frame: AgentFrame) => {
    const indexed = firstValueFrom(at.store.indexed$);
    await at.append(frame);
    await indexed;
  };

  it("ahead of HQ's clock are kept, marked, and not the latest, now and after a restart", async () => {
    await taken(frameOf(1, [dated(1, START), dated(2, ABSURD), dated(3, START + 1000)], START + 2000));
    await taken(frameOf(4, [dated(4, START + DAY + 5000)], START + 4000));
    const latest = async () => [await lastSampleTs(at.store), await lastTs(at.store)];
    expect(await latest()).toEqual([START + 1000, START + 1000]);
    const query = { agent: 'a1', from: START, to: ABSURD + 1, limit: 10, cursor: null };
    const { items } = await firstValueFrom(at.store.samples(query));
    expect(items.map(({ seq, ahead = false }) => [seq, ahead])).toEqual([
      [1, false],
      [3, false],
      [4, true],
      [2, true],
    ]);
    await at.reopen();
    expect(await latest()).toEqual([START + 1000, START + 1000]);
  });

  it('before the year 0 are kept, and not the first, now and after a restart', async () => {
    await taken(frameOf(1, [dated(1, -8.64e15), dated(2, BEFORE_YEAR_0), dated(3, START)], START));
    expect(await timesOf(at.store)).toEqual([START, START]);
    const query = { agent: 'a1', from: -8.64e15, to: START + 1, limit: 10, cursor: null };
    const { items } = await firstValueFrom(at.store.samples(query));
    expect(items.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    await at.reopen();
    expect(await timesOf(at.store)).toEqual([START, START]);
    await at.append(frameOf(4, [dated(4, BEFORE_YEAR_0 + 1)], START));
    expect(await timesOf(at.store)).toEqual([BEFORE_YEAR_0 + 1, START]);
  });

  it('are the latest within the allowance, which can be set', async () => {
    await at.reopen({ maxAheadMs: 10 * DAY });
    await taken(frameOf(1, [dated(1, START + 9 * DAY)], START));
    expect(await lastSampleTs(at.store)).toBe(START + 9 * DAY);
  });

  it('open no episode for good', async () => {
    const open = (startTs: number): Anomaly => ({
      ...{ series: 0, state: 'open', startTs, peakTs: startTs, peakValue: 9, peakZ: 4 },
      ...{ mean: 1, stddev: 2, endTs: null },
    });
    await taken(frameOf(1, [dated(1, ABSURD, [open(ABSURD)])], START));
    await taken(frameOf(2, [dated(2, START, [open(START)])], START));
    expect((await numbersOf(at.store)).anomalies).toEqual({ open: 1, total: 2 });
    const later = { agent: 'a1', from: START + DAY, to: START + 2 * DAY };
    expect(await anomaliesOf(at.store, later)).toMatchObject([{ startTs: START, state: 'open' }]);
  });
});

describe('values in answers', () => {
  const at = useStore('memory');

  it('are those that were sent, negative zero among them', async () => {
    const sample = { ...sampleOf(1), values: [-0, Number.NaN] };
    await at.append(frameOf(1, [sample, sampleOf(2)], START));
    const query = { agent: 'a1', from: START, to: START + 1500, limit: 10, cursor: null };
    const { items } = await firstValueFrom(at.store.samples(query));
    expect(Object.values(items[0]?.values ?? {})).toEqual(['-0', 'NaN']);
  });

  it('leave out an anomaly at no time, which was stored before HQ looked', async () => {
    const anomaly: Anomaly = {
      ...{ series: 0, state: 'closed', startTs: Number.NaN, peakTs: START, peakValue: 9, peakZ: 4 },
      ...{ mean: 1, stddev: 2, endTs: START },
    };
    const indexed = firstValueFrom(at.store.indexed$);
    await at.append(frameOf(1, [dated(1, START, [anomaly])], START));
    await indexed;
    const query = { agent: 'a1', from: START, to: START + 1500, limit: 10, cursor: null };
    expect((await firstValueFrom(at.store.samples(query))).items).toMatchObject([{ seq: 1, anomalies: [] }]);
    expect((await numbersOf(at.store)).anomalies).toEqual({ open: 0, total: 0 });
  });
});
