import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { AnomalyDocument } from '../../protocol/api.ts';
import type { Anomaly } from '../../protocol/sample.ts';
import { internSchema } from '../../protocol/schema-ref.ts';
import { dataFrame, SERIES, START, schema } from './testing/frames.ts';
import { anomaliesOf, numbersOf } from './testing/read.ts';
import { KINDS, useStore } from './testing/use-store.ts';

describe.each(KINDS)('one episode in a store over %s', (kind) => {
  const at = useStore(kind);

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
    const indexed = firstValueFrom(at.store.indexed$);
    await at.append(
      dataFrame(1, 10, { anomalies: (seq) => (peaks[seq] === undefined ? [] : [report(peaks[seq])]) }),
    );
    await indexed;
    expect((await numbersOf(at.store)).anomalies).toEqual({ open: 1, total: 1 });
    const during = { agent: 'a1', from: START, to: START + 10_000 };
    const found = await anomaliesOf(at.store, during);
    expect(found).toMatchObject([{ state: 'open', startTs: START + 5000, peakZ: -9, peakTs: START + 4991 }]);
    // Agents of 0.1 do not say.
    expect(Object.keys(found[0] ?? {})).not.toContain('method');
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
      judgement: { method: 'mean_zscore', threshold: 3.5 },
    });
    const indexed = firstValueFrom(at.store.indexed$);
    await at.append(
      dataFrame(1, 10, {
        anomalies: (seq) => (seq === 5 ? [report('open', 4)] : seq === 8 ? [report('closed', 6)] : []),
      }),
    );
    await indexed;
    expect((await numbersOf(at.store)).anomalies).toEqual({ open: 0, total: 1 });
    const during = { agent: 'a1', from: START + 7000, to: START + 7500 };
    expect(await anomaliesOf(at.store, during)).toMatchObject([
      {
        series: SERIES,
        source: 'sim',
        state: 'closed',
        startTs: START + 5000,
        endTs: START + 8000,
        peakZ: 6,
        method: 'mean_zscore',
        threshold: 3.5,
      },
    ]);
    expect(await anomaliesOf(at.store, { ...during, from: START + 8001, to: START + 9000 })).toEqual([]);
    expect(await firstValueFrom(at.store.series('a1'))).toMatchObject([
      { series: SERIES, firstTs: START + 1000, lastTs: START + 10_000 },
      { series: 'sensor.value{sensor=2}' },
    ]);
  });
});

describe.each(KINDS)('episodes of two sources in a store over %s', (kind) => {
  const at = useStore(kind);

  it('keeps apart the episodes of a series that two sources have', async () => {
    const report = (seq: number): Anomaly => ({
      ...{ series: 0, state: 'open', startTs: START + seq, peakTs: START + seq, peakValue: 9, peakZ: 4 },
      ...{ mean: 1, stddev: 2, endTs: null },
    });
    const twin = internSchema({ ...schema, source: 'twin' });
    await firstValueFrom(at.store.putSchema('a1', twin));
    // Of one start; the next of the twin leaves the other open.
    for (const [seq, of, startTs] of [
      [1, schema, 0],
      [2, twin, 0],
      [3, twin, 5],
    ] as const) {
      const indexed = firstValueFrom(at.store.indexed$);
      await at.append(dataFrame(seq, seq, { schema: of, anomalies: () => [report(startTs)] }));
      await indexed;
    }
    expect((await numbersOf(at.store)).anomalies).toEqual({ open: 2, total: 3 });
    const later = { agent: 'a1', from: START + 10_000, to: START + 20_000 };
    expect(
      (await anomaliesOf(at.store, later)).map(({ source, startTs }) => [source, startTs - START]),
    ).toEqual([
      ['sim', 0],
      ['twin', 5],
    ]);
  });
});

describe.each(KINDS)('many episodes in a store over %s', (kind) => {
  const at = useStore(kind);

  it('come page by page, each once, however many begin at one moment', async () => {
    const of = (series: number, startTs: number, endTs: number | null): Anomaly => ({
      ...{
        series,
        state: endTs === null ? 'open' : 'closed',
        startTs,
        peakTs: startTs,
        peakValue: 9,
        peakZ: 4,
      },
      ...{ mean: 1, stddev: 2, endTs },
    });
    const twin = internSchema({ ...schema, source: 'twin' });
    await firstValueFrom(at.store.putSchema('a1', twin));
    const closed = [0, 1].flatMap((series) =>
      Array.from({ length: 60 }, (_, ms) => of(series, START + ms, START + ms)),
    );
    for (const [seq, source] of [
      [1, schema],
      [2, twin],
    ] as const) {
      const indexed = firstValueFrom(at.store.indexed$);
      // The last of each series is open, from long before the range that is asked for next.
      await at.append(
        dataFrame(seq, seq, {
          schema: source,
          anomalies: () => [...closed, of(0, START + 70, null), of(1, START + 70, null)],
        }),
      );
      await indexed;
    }
    const namesOf = (all: readonly AnomalyDocument[]) =>
      all.map(({ source, series, startTs }) => `${startTs} ${source} ${series}`);
    const whole = namesOf(await anomaliesOf(at.store, { agent: 'a1', from: START, to: START + 1_000 }));
    expect(new Set(whole).size).toBe(4 * 61);
    for (const limit of [1, 7, 100]) {
      const paged = await anomaliesOf(at.store, { agent: 'a1', from: START, to: START + 1_000 }, limit);
      expect(namesOf(paged)).toEqual(whole);
    }
    const later = await anomaliesOf(at.store, { agent: 'a1', from: START + 5_000, to: START + 6_000 }, 1);
    expect(namesOf(later).sort()).toEqual(whole.slice(-4).sort());
  });
});
