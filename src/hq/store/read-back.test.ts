import fc from 'fast-check';
import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { sampleDocumentSchema } from '../../protocol/api.ts';
import { samplesArb } from '../../protocol/codec/testing/arbitraries.ts';
import { encodeSamples, readHeader } from '../../protocol/frame-codec.ts';
import { type Anomaly, MAX_TS, type Sample } from '../../protocol/sample.ts';
import { internSchema } from '../../protocol/schema-ref.ts';
import { seriesKey } from '../../protocol/series-key.ts';
import type { HqStore } from './store.ts';
import { EPOCH } from './testing/frames.ts';
import { readBuckets } from './testing/read.ts';
import { useStore } from './testing/use-store.ts';

/** Every time that a sample can have. */
const ALL_TIME = { from: -MAX_TS, to: MAX_TS + 1 };

/** A number as an answer has it, and the number again. */
const written = (value: number): unknown =>
  Number.isFinite(value) && !Object.is(value, -0) ? value : Object.is(value, -0) ? '-0' : String(value);

const within = (ts: number): number => Math.max(-MAX_TS, Math.min(MAX_TS, ts));
const possible = (anomaly: Anomaly): Anomaly => ({
  ...anomaly,
  startTs: within(anomaly.startTs),
  peakTs: within(anomaly.peakTs),
  endTs: anomaly.endTs === null ? null : within(anomaly.endTs),
});

async function append(store: HqStore, agent: string, samples: readonly Sample[]): Promise<void> {
  for (const schema of new Set(samples.map((one) => one.schema)))
    await firstValueFrom(store.putSchema(agent, schema));
  const bytes = encodeSamples({ epoch: EPOCH, firstSeq: 1, samples });
  const frame = { agent, header: readHeader(bytes), bytes, arrivalTs: Date.now(), lane: 'backlog' } as const;
  expect(await firstValueFrom(store.append([frame]))).toMatchObject([{ stored: samples.length }]);
}

/** As somebody reads it who asks over HTTP. */
async function answered(store: HqStore, agent: string, range: { from: number; to: number }) {
  const page = await firstValueFrom(store.samples({ agent, limit: 1000, cursor: null, ...range }));
  const read: unknown = JSON.parse(JSON.stringify(page.items));
  return z.array(sampleDocumentSchema).parse(read);
}

function expected(sample: Sample) {
  const values = sample.schema.series.flatMap((series, index) => {
    const value = sample.values[index];
    return typeof value === 'number' ? [[seriesKey(series), written(value)]] : [];
  });
  const anomalies = sample.anomalies.map(({ peakValue, peakZ, mean, stddev, judgement }) => ({
    ...{ peakValue: written(peakValue), peakZ: written(peakZ), mean: written(mean), stddev: written(stddev) },
    ...(judgement && { threshold: written(judgement.threshold) }),
  }));
  const { ts, mono } = sample;
  return { ts, mono, values: Object.fromEntries(values), anomalies };
}

describe.each(['memory', 'lmdb'] as const)('what a store over %s has taken', (kind) => {
  const at = useStore(kind);

  it('is read back as it was, whatever its times and numbers', async () => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(samplesArb, async (given) => {
        runs += 1;
        const agent = `a${runs}-read`;
        const samples = given.map((sample) => ({
          ...sample,
          ts: within(sample.ts),
          anomalies: sample.anomalies.map(possible),
        }));
        await append(at.store, agent, samples);
        const found = [...(await answered(at.store, agent, ALL_TIME))].sort((a, b) => a.seq - b.seq);
        expect(found).toHaveLength(samples.length);
        for (const [index, sample] of samples.entries()) expect(found[index]).toMatchObject(expected(sample));
      }),
      { numRuns: 30, endOnFailure: true },
    );
  });

  it.each([-MAX_TS, -MAX_TS + 1, -1, 0, MAX_TS - 1, MAX_TS])(
    'is found at %i by a range of that ms',
    async (ts) => {
      const [sample] = fc.sample(samplesArb, { numRuns: 1, seed: 1 })[0] ?? [];
      if (sample === undefined) throw new Error('there is one at least');
      await append(at.store, 'edge', [{ ...sample, ts }]);
      expect(await answered(at.store, 'edge', { from: ts, to: ts + 1 })).toMatchObject([{ ts }]);
      expect(await answered(at.store, 'edge', { from: -MAX_TS, to: ts })).toEqual([]);
    },
  );

  it('has the mean of its values, however large they are', async () => {
    const [sample] = fc.sample(samplesArb, { numRuns: 1, seed: 1 })[0] ?? [];
    if (sample === undefined) throw new Error('there is one at least');
    const { MAX_VALUE: max } = Number;
    const large = internSchema({
      ...{ source: 'large', boot: 'b' },
      series: ['a', 'b', 'c', 'd'].map((name) => ({ name, attributes: {}, unit: '' })),
    });
    const rows = [
      [max, max, 1, Number.POSITIVE_INFINITY],
      [max, -max, 1e300, 1],
      [max, 6, 2, 2],
    ];
    const samples = rows.map((values, row) => ({ ...sample, schema: large, values, ts: row, anomalies: [] }));
    await append(at.store, 'large', samples);
    const means = ['a', 'b', 'c', 'd'].map(async (series) => {
      const query = { agent: 'large', source: 'large', series, stepMs: 1000, from: 0, to: 1000 };
      return (await readBuckets(at.store, query))[0]?.mean;
    });
    expect(await Promise.all(means)).toEqual([max, 2, 1e300 / 3 + 1, 'Infinity']);
  });
});
