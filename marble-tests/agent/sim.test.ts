import { bufferCount, from, NEVER, of, take, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { annotate } from '../../src/agent/pipeline/annotate.ts';
import { createSource } from '../../src/agent/sources/registry.ts';
import type { RawSample } from '../../src/agent/sources/source.ts';
import { parseSourceSpec } from '../../src/agent/sources/spec.ts';
import { eachSample } from '../../src/agent/testing/each-sample.ts';
import { DEFAULT_PIPELINE_SETTINGS, noMemory } from '../../src/agent/testing/pipeline-settings.ts';
import { type Random, seededRandom } from '../../src/platform/random.ts';
import type { Sample } from '../../src/protocol/sample.ts';
import { seriesKey } from '../../src/protocol/series-key.ts';
import { marbles } from '../marbles.ts';
import { EPOCH_MS, half, virtualClock } from './support.ts';

const HOUR_AT_10_HZ = 36_000;

function simulate(spec: string, count: number, random: Random = half) {
  let samples: RawSample[] = [];
  let annotated: readonly Sample[] = [];
  marbles(({ scheduler }) => {
    const source = createSource(parseSourceSpec(spec), {
      clock: virtualClock(scheduler),
      random,
      emit: () => {},
    });
    const annotated$ = annotate({
      source,
      settings: DEFAULT_PIPELINE_SETTINGS,
      emit: () => {},
      memory: noMemory(),
      bufferTrouble: () => null,
    });
    source
      .samples(of(true))
      .pipe(eachSample(), take(count), toArray())
      .subscribe((all) => {
        samples = all;
        from(all)
          .pipe(annotated$, toArray())
          .subscribe((rows) => {
            annotated = rows.filter((row): row is Sample => !('columns' in row));
          });
      });
  });
  const codes = annotated.flatMap(({ diagnostics }) => diagnostics.map(({ code }) => code));
  return { samples, annotated, codes, values: samples.map(({ values }) => values) };
}

const annotated = (spec: string, count: number) => simulate(spec, count).annotated;
/** First reports only. */
const openedBy = (samples: readonly Sample[]) =>
  samples
    .flatMap(({ anomalies }) => anomalies)
    .filter(({ state, startTs, peakTs }) => state === 'open' && startTs === peakTs);

describe('the simulated source', () => {
  it('gives one series a sensor at its rate', () => {
    const { samples } = simulate('sim:hz=10,sensors=3,seed=7', 4);
    expect(samples[0]?.schema.series.map(seriesKey)).toEqual([
      'sim.sensor{sensor=1}',
      'sim.sensor{sensor=2}',
      'sim.sensor{sensor=3}',
    ]);
    expect(samples.map(({ ts, mono }) => [ts, mono])).toEqual(
      [0, 100, 200, 300].map((at) => [EPOCH_MS + at, at]),
    );
    expect(samples[0]?.values).toHaveLength(3);
  });

  it('gives the same values for the same seed, each time that it is started', () => {
    const first = simulate('sim:seed=7', 5000).values;
    expect(simulate('sim:seed=7', 5000).values).toEqual(first);
    expect(simulate('sim:seed=8', 5000).values).not.toEqual(first);
  });

  it('draws a seed when none is given', () => {
    const seeds = seededRandom(1);
    expect(simulate('sim', 10, seeds).values).not.toEqual(simulate('sim', 10, seeds).values);
  });

  it('gives its sensors lives of their own', () => {
    const [first] = simulate('sim:seed=1,sensors=8', 1).values;
    expect(new Set(first).size).toBeGreaterThan(6);
  });

  it('stays within its rails and falls to them, sticks and spikes now and then', () => {
    const { values, codes } = simulate('sim:hz=10,sensors=4,seed=7', 40_000);
    expect(values.flat().every((value) => Number(value) >= 0 && Number(value) <= 100)).toBe(true);
    expect(new Set(codes)).toEqual(new Set(['rail_low', 'rail_high', 'stuck']));
  });

  it('behaves when told to', () => {
    const { values, codes } = simulate('sim:hz=10,sensors=4,seed=7,faults=false', 20_000);
    expect(codes).toEqual([]);
    expect(values.flat().every((value) => Number(value) > 15 && Number(value) < 85)).toBe(true);
  });

  it('gives next to no anomalies in an hour without faults', () => {
    const opened = openedBy(annotated('sim:hz=10,sensors=4,seed=7,faults=false', HOUR_AT_10_HZ));
    for (const sensor of [0, 1, 2, 3]) {
      expect(opened.filter(({ series }) => series === sensor).length).toBeLessThanOrEqual(1);
    }
  });

  it('gives one anomaly for each spike and each fall to a rail, and no others', () => {
    const samples = annotated('sim:hz=10,sensors=4,seed=7', HOUR_AT_10_HZ);
    const opened = openedBy(samples);
    // Wave and noise stay within five units, so what is further off is a spike or a rail.
    const faults = [0, 1, 2, 3].flatMap((sensor) => {
      const values = samples.map(({ values }) => Number(values[sensor]));
      const centre = values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
      const off = values.map((value) => Math.abs(value - centre) > 10);
      return samples.flatMap(({ ts }, at) =>
        at >= 30 && off[at] && !off[at - 1] ? [`${sensor} ${ts}`] : [],
      );
    });
    expect(faults.length).toBeGreaterThan(50);
    expect(opened.map(({ series, startTs }) => `${series} ${startTs}`).sort()).toEqual(faults.sort());
    expect(opened.every(({ peakZ }) => Math.abs(peakZ) >= 6)).toBe(true);
  });

  it('stops when nobody listens any more', () => {
    marbles(({ scheduler, expectObservable }) => {
      const env = { clock: virtualClock(scheduler), random: half, emit: () => {} };
      const samples$ = createSource(parseSourceSpec('sim:hz=100,seed=1'), env).samples(NEVER);
      expectObservable(samples$.pipe(bufferCount(1000)), '50ms !').toBe('');
    });
  });
});
