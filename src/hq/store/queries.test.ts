import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { encodeSamples, readHeader } from '../../protocol/frame-codec.ts';
import { internSchema } from '../../protocol/schema-ref.ts';
import { CursorError } from './cursor-error.ts';
import {
  dataFrame,
  delivery,
  downsampledFrame,
  EPOCH,
  SERIES,
  START,
  sampleOf,
  schema,
} from './testing/frames.ts';
import { allSeqs, EVER, numbers, readBuckets, readPage } from './testing/read.ts';
import { KINDS, useStore } from './testing/use-store.ts';

describe.each(KINDS)('samples in a store over %s', (kind) => {
  const at = useStore(kind);

  it('shows a sample as it was measured, with the arrival of its frame', async () => {
    await at.append(dataFrame(1, 3, { arrivalTs: START + 99 }));
    const page = await readPage(at.store, 1, null);
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
    await at.append(dataFrame(50, 60), dataFrame(1, 20), dataFrame(15, 55), dataFrame(61, 61));
    for (const limit of [1, 7, 61, 100]) expect(await allSeqs(at.store, limit)).toEqual(numbers(1, 61));
    const forged = firstValueFrom(at.store.samples({ agent: 'a1', limit: 1, cursor: 'x', ...EVER }));
    await expect(forged).rejects.toThrow(CursorError);
  });

  it('answers only what lies in the range, frames of many hours included', async () => {
    const long = dataFrame(1, 4096);
    await at.append(long, dataFrame(4097, 8000), dataFrame(10_000_001, 10_000_005));
    const range = { from: START + 4000 * 1000, to: START + 4100 * 1000 };
    const page = await firstValueFrom(at.store.samples({ agent: 'a1', limit: 1000, cursor: null, ...range }));
    expect(page.items.map(({ seq }) => seq)).toEqual(numbers(4000, 4099));
  });
});

describe.each(KINDS)('series in a store over %s', (kind) => {
  const at = useStore(kind);
  const timesOf = async (agent: string) => {
    const all = await firstValueFrom(at.store.series(agent));
    return all.map(({ series, firstTs, lastTs }) => [series, firstTs, lastTs]);
  };
  const both = (first: number, last: number) =>
    [SERIES, SERIES.replace('1', '2')].map((series) => [series, START + first * 1000, START + last * 1000]);

  it('have the times of a sample as soon as it is stored, whoever sent it', async () => {
    await at.append(dataFrame(5, 9));
    expect(await timesOf('a1')).toEqual(both(5, 9));
    await at.append(delivery('one', { seqs: [1, 2] }));
    expect(await timesOf('web')).toEqual(both(1, 2));
    await at.append(delivery('two', { seqs: [7] }), downsampledFrame(1, 4, { window: 2 }));
    expect([await timesOf('web'), await timesOf('a1')]).toEqual([both(1, 7), both(1, 9)]);
  });

  it('have them after a restart, whatever was read before it', async () => {
    await at.append(dataFrame(1, 9));
    await at.reopen();
    await at.append(dataFrame(10, 12));
    expect(await timesOf('a1')).toEqual(both(1, 12));
  });
});

describe.each(KINDS)('buckets in a store over %s', (kind) => {
  const at = useStore(kind);

  it('gives bucket statistics, and null where nothing came', async () => {
    await at.append(dataFrame(0 + 1, 9), dataFrame(5, 12), dataFrame(40, 49));
    const buckets = await readBuckets(at.store, { stepMs: 10_000, from: START, to: START + 50_000 });
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
    await firstValueFrom(at.store.putSchema('a1', twin));
    // Both in one frame, in turns.
    const samples = numbers(1, 20).map((seq) => ({
      ...sampleOf(seq),
      schema: seq % 2 === 0 ? source : twin,
      values: seq % 2 === 0 ? [1, 1] : [100, 100],
    }));
    const bytes = encodeSamples({ epoch: EPOCH, firstSeq: 1, samples });
    await at.append({ agent: 'a1', header: readHeader(bytes), bytes, arrivalTs: START, lane: 'live' });
    const range = { stepMs: 60_000, from: START, to: START + 60_000 };
    const of = (name: string) => readBuckets(at.store, { source: name, ...range });
    expect(await of('sim')).toEqual([{ t: START, count: 10, min: 1, max: 1, mean: 1 }]);
    expect(await of('sim-2')).toEqual([{ t: START, count: 10, min: 100, max: 100, mean: 100 }]);
    expect(await of('other')).toMatchObject([{ count: 0 }]);
  });
});
