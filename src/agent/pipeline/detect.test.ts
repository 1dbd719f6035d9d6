import { describe, expect, it } from 'vitest';
import { internSchema } from '../../protocol/schema-ref.ts';
import type { RawBlock } from '../sources/source.ts';
import { DEFAULT_PIPELINE_SETTINGS } from '../testing/pipeline-settings.ts';
import { createDetection, type DetectionSettings } from './detect.ts';
import { NATURES, TROUBLES, type TroubledOptions, troubledSeries } from './testing/troubled-series.ts';

const defaults = DEFAULT_PIPELINE_SETTINGS.detection;
const schemaOf = (boot: string) =>
  internSchema({ source: 's', boot, series: [{ name: 'a', attributes: {}, unit: '' }] });
const schema = schemaOf('boot');

type Kind = { readonly settings?: Partial<DetectionSettings>; readonly meanOf?: number };

function detectorOf({ settings, meanOf }: Kind) {
  const detection = createDetection({
    settings: { ...defaults, ...settings },
    source: { name: 's', ...(meanOf !== undefined && { meanOf }) },
    traitsOf: () => ({}),
    kept: new Map(),
  });
  const rows: RawBlock = { schema, ts: new Float64Array(), mono: new Float64Array(), columns: [] };
  const [detector] = detection.detectorsFor(rows);
  if (detector == null) throw new Error('not judged');
  return detector;
}

/** Indices at which anomalies open. */
function openings(kind: Kind, values: Float64Array): number[] {
  const found: number[] = [];
  const ts = values.map((_, index) => index * 1000);
  detectorOf(kind).nextColumn(ts, values, (index, { state, startTs, peakTs }) => {
    if (state === 'open' && startTs === peakTs) found.push(index);
  });
  return found;
}

const SERIES = 50;
const MOST_BY_CHANCE = 0.25;

/** Share of series in which an anomaly opens within so many values of the trouble's begin. */
function share(kind: Kind, options: Omit<TroubledOptions, 'seed'>, within: number): number {
  let found = 0;
  for (let seed = 1; seed <= SERIES; seed += 1) {
    const opened = openings(kind, troubledSeries({ ...options, seed }));
    if (opened.some((index) => index >= options.before && index < options.before + within)) found += 1;
  }
  return found / SERIES;
}

/** What `auto` takes for sensors and for the machine. */
const sensors = { kind: {}, meanOf: 1, before: 1200, spike: 1 };
const machine = { kind: { meanOf: 10 }, meanOf: 10, before: 4000, spike: 20 };
/** Values within which a trouble has to be found. */
const WITHIN = {
  sensors: { step: 3, spike: 1, stuck: 3, variance: 6 },
  machine: { step: 40, spike: 30, stuck: 40, variance: 80 },
} as const;
const cases = NATURES.flatMap((nature) => TROUBLES.map((trouble) => ({ nature, trouble })));

describe('what auto takes', () => {
  it.each(cases)('finds a $trouble of 5 σ in sensors with $nature', ({ nature, trouble }) => {
    const within = WITHIN.sensors[trouble];
    const options = { ...sensors, nature, sigma: 5, after: 200 };
    expect(share(sensors.kind, { ...options, trouble }, within)).toBeGreaterThanOrEqual(0.9);
    // Not by chance: without the trouble little is found there, though tails and bursts alarm by themselves.
    expect(share(sensors.kind, { ...options, trouble: 'none' }, within)).toBeLessThanOrEqual(MOST_BY_CHANCE);
  });

  it.each(cases)('finds a $trouble of 5 σ in a machine with $nature', ({ nature, trouble }) => {
    const within = WITHIN.machine[trouble];
    const options = { ...machine, nature, sigma: 5, after: 400 };
    expect(share(machine.kind, { ...options, trouble }, within)).toBeGreaterThanOrEqual(0.9);
    expect(share(machine.kind, { ...options, trouble: 'none' }, within)).toBeLessThanOrEqual(MOST_BY_CHANCE);
  });
});
