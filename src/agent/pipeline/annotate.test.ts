import { EMPTY, Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../platform/random.ts';
import { inBlocks, unfold } from '../../protocol/codec/testing/blocks.ts';
import type { InternedSchema, Sample } from '../../protocol/sample.ts';
import type { SampleBlock, SampleRows } from '../../protocol/sample-block.ts';
import { internSchema } from '../../protocol/schema-ref.ts';
import type { RawBlock, RawRows, RawSample, SeriesTraits } from '../sources/source.ts';
import { DEFAULT_PIPELINE_SETTINGS, noMemory } from '../testing/pipeline-settings.ts';
import { annotate } from './annotate.ts';

const schemaOf = (...names: string[]) =>
  internSchema({
    source: 's',
    boot: 'b',
    series: names.map((name) => ({ name, attributes: {}, unit: '' })),
  });

type Event = { readonly type: string; readonly [field: string]: unknown };

function annotator(traits: (name: string) => SeriesTraits, settings = DEFAULT_PIPELINE_SETTINGS) {
  const events: Event[] = [];
  const raw$ = new Subject<RawRows>();
  let last: SampleRows | undefined;
  const operator = annotate({
    source: { name: 's', time: 'clock', samples: () => EMPTY, traits: ({ name }) => traits(name) },
    settings,
    emit: (event: Event) => void events.push(event),
    memory: noMemory(),
    bufferTrouble: () => null,
  });
  raw$.pipe(operator).subscribe((rows) => {
    last = rows;
  });
  const sample = (raw: RawSample): Sample => {
    raw$.next(raw);
    if (last === undefined || 'columns' in last) throw new Error('not a sample');
    return last;
  };
  const block = (raw: RawBlock): SampleBlock => {
    raw$.next(raw);
    if (last === undefined || !('columns' in last)) throw new Error('not a block');
    return last;
  };
  let at = 0;
  const feed = (schema: InternedSchema, ...values: (number | null)[]) => {
    at += 1000;
    return sample({ schema, ts: at, mono: at, values });
  };
  return { feed, events, sample, block };
}

/** Calm values around 10, enough to warm up. */
const calm = (index: number) => 10 + (index % 2 === 0 ? 0.1 : -0.1);

describe('a sample on its way to the journal', () => {
  it('carries the anomaly of the series that left its usual range, when it opens, grows and closes', () => {
    const { feed, events } = annotator(() => ({}));
    const schema = schemaOf('steady', 'moving');
    for (let index = 0; index < 50; index += 1) {
      expect(feed(schema, 1, calm(index)).anomalies).toEqual([]);
    }
    const opened = feed(schema, 1, 20);
    expect(opened.anomalies).toMatchObject([{ series: 1, state: 'open', peakValue: 20, startTs: 51_000 }]);
    expect(feed(schema, 1, 25).anomalies).toMatchObject([
      { series: 1, state: 'open', peakValue: 25, startTs: 51_000 },
    ]);
    expect(feed(schema, 1, 10).anomalies).toMatchObject([
      { series: 1, state: 'closed', startTs: 51_000, peakTs: 52_000, peakValue: 25, endTs: 53_000 },
    ]);
    expect(events.map(({ type, series }) => `${type} ${series}`)).toEqual(['anomaly_opened moving']);
  });

  it('does not judge counters and what is exempt, nor movements below the floor of their series', () => {
    const traits: Record<string, SeriesTraits> = {
      counter: { cumulative: true },
      floored: { minStddev: 10 },
      exempt: { anomalies: false },
    };
    const { feed } = annotator((name) => traits[name] ?? {});
    const schema = schemaOf('counter', 'floored', 'exempt');
    for (let index = 0; index < 50; index += 1) feed(schema, index, calm(index), calm(index));
    expect(feed(schema, 1e9, 20, 1e9).anomalies).toEqual([]);
    expect(feed(schema, 1e9, 60, 1e9).anomalies).toMatchObject([{ series: 1 }]);
  });

  it('keeps what is known of a series when the schema changes around it', () => {
    const { feed } = annotator(() => ({}));
    for (let index = 0; index < 50; index += 1) feed(schemaOf('a'), calm(index));
    expect(feed(schemaOf('new', 'a'), 5, 20).anomalies).toMatchObject([{ series: 1, state: 'open' }]);
  });

  it('passes missing and non-finite values through untouched', () => {
    const { feed } = annotator(() => ({}));
    const values = [null, Number.NaN, Number.POSITIVE_INFINITY, -0];
    expect(feed(schemaOf('a', 'b', 'c', 'd'), ...values).values).toEqual(values);
  });

  it('goes by configured ranges before the traits of the source', () => {
    const settings = { ...DEFAULT_PIPELINE_SETTINGS, ranges: [{ series: 'a', railHigh: 3 }] };
    const { feed, events } = annotator(() => ({ railLow: 0, railHigh: 100 }), settings);
    expect(feed(schemaOf('a', 'b'), 4, 4).diagnostics).toMatchObject([{ code: 'rail_high', series: 0 }]);
    expect(feed(schemaOf('a', 'b'), 2, 0).diagnostics).toMatchObject([{ code: 'rail_low', series: 1 }]);
    expect(events).toMatchObject([
      { type: 'diagnosed', code: 'rail_high', series: 'a' },
      { type: 'diagnosed', code: 'rail_low', series: 'b' },
    ]);
  });

  it('is the same in a block', () => {
    const traits: Record<string, SeriesTraits> = { rails: { railHigh: 9, staleAfterMs: 1500 } };
    const settings = {
      ...DEFAULT_PIPELINE_SETTINGS,
      detection: { ...DEFAULT_PIPELINE_SETTINGS.detection, warmUp: 5, window: 20 },
    };
    const schemas = [schemaOf('noise', 'rails', 'steps'), schemaOf('rails', 'noise')];
    const { next } = seededRandom(3);
    const samples = Array.from({ length: 2000 }, (_, index): Sample => {
      const schema = schemas[Math.floor(index / 600) % 2] ?? schemaOf();
      const values = schema.series.map(() => (next() < 0.1 ? null : Math.round(next() ** 5 * 100) / 10));
      // The wall clock jumps now and then.
      const ts = index * 1000 + Math.floor(index / 333) * 60_000;
      return { schema, ts, mono: index * 1000, values, anomalies: [], diagnostics: [] };
    });
    const [single, blocks] = [
      annotator((name) => traits[name] ?? {}, settings),
      annotator((name) => traits[name] ?? {}, settings),
    ];
    const expected = samples.map((sample) => single.sample({ ...sample, diagnostics: [] }));
    const found = inBlocks(samples, 77).flatMap((rows) => {
      if (!('columns' in rows)) throw new Error('not a block');
      return unfold(blocks.block(rows));
    });
    expect(found).toEqual(expected);
    expect(blocks.events).toEqual(single.events);
    const types = new Set(expected.flatMap(({ diagnostics }) => diagnostics.map(({ code }) => code)));
    expect([...types].sort()).toEqual(['clock_jump', 'rail_high', 'stale']);
    expect(expected.some(({ anomalies }) => anomalies.length > 1)).toBe(true);
  });

  it("puts the source's own diagnostics first", () => {
    const { sample: annotated } = annotator(() => ({ railLow: 0 }));
    const own = { code: 'stale', severity: 'warning', series: null, detail: 'collector x' } as const;
    const sample = annotated({
      schema: schemaOf('a'),
      ts: 0,
      mono: 0,
      values: [0],
      diagnostics: [own],
    });
    expect(sample.diagnostics.map(({ code }) => code)).toEqual(['stale', 'rail_low']);
  });
});
