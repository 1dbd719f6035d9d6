/**
 * What detection finds, what it costs, and how often it alarms on a machine without trouble.
 *
 *     node benchmarks/detection.ts        series of a seeded generator, a trouble of 5 σ in each; cost
 *     node benchmarks/detection.ts DIR    host samples recorded in the journal of an agent, by each method
 */
import { createDetection, type DetectionSettings } from '../src/agent/pipeline/detect.ts';
import { NATURES, TROUBLES, troubledSeries } from '../src/agent/pipeline/testing/troubled-series.ts';
import { DEFAULT_PIPELINE_SETTINGS } from '../src/agent/testing/pipeline-settings.ts';
import { internSchema } from '../src/protocol/schema-ref.ts';
import { type BenchResult, type BenchRow, quantile, rounded } from './result.ts';
import { print } from './support/print.ts';
import { type Injected, injectSteps, recordedSamples, replay } from './support/replay-detection.ts';

export type DetectionOptions = {
  /** Series of each nature with each trouble. Default 100. */
  readonly series?: number;
  /** Values that the cost is measured with. Default 4,000,000. */
  readonly values?: number;
};

type Candidate = {
  readonly name: string;
  readonly method: DetectionSettings['method'];
  /** Values of a mean, where means are judged. */
  readonly meanOf?: number;
  /** Values before the trouble, and that a spike of it lasts. */
  readonly before: number;
  readonly spike: number;
};

const CANDIDATES: readonly Candidate[] = [
  { name: 'sensors (auto)', method: 'auto', before: 1200, spike: 1 },
  { name: 'machine (auto)', method: 'auto', meanOf: 10, before: 4000, spike: 20 },
  { name: 'adaptive', method: 'adaptive', before: 12_000, spike: 40 },
];
/** Deviations are those of means of so many values where a mean is judged. */
const MEAN_OF = 10;
const AFTER = 300;
const HOUR_MS = 3_600_000;
/** With none seen, fewer than so many are expected, 19 times of 20. */
const RULE_OF_THREE = 3;

const schema = internSchema({
  source: 's',
  boot: 'boot',
  series: [{ name: 'a', attributes: {}, unit: '' }],
});
const settings = DEFAULT_PIPELINE_SETTINGS.detection;

function detectorOf({ method, meanOf }: Candidate) {
  const detection = createDetection({
    settings: { ...settings, method },
    source: { name: 's', ...(meanOf !== undefined && { meanOf }) },
    traitsOf: () => ({}),
    kept: new Map(),
  });
  const [detector] = detection.detectorsFor({ schema, ts: 0, mono: 0, values: [] });
  if (detector == null) throw new Error('the series is not judged');
  const numbers = () => {
    let count = 0;
    for (const { learned } of detection.save()) count += learned.length;
    return count;
  };
  return { detector, numbers };
}

function openings(candidate: Candidate, values: Float64Array): number[] {
  const found: number[] = [];
  const { detector } = detectorOf(candidate);
  detector.nextColumn(
    values.map((_, index) => index * 1000),
    values,
    (index, { state, startTs, peakTs }) => {
      if (state === 'open' && startTs === peakTs) found.push(index);
    },
  );
  return found;
}

function foundRows(candidate: Candidate, series: number): BenchRow[] {
  const { name, before, spike, method } = candidate;
  const meanOf = method === 'adaptive' ? MEAN_OF : (candidate.meanOf ?? 1);
  return NATURES.flatMap((nature) => {
    let false_ = 0;
    const rows = TROUBLES.flatMap((trouble): BenchRow[] => {
      const delays: number[] = [];
      for (let seed = 1; seed <= series; seed += 1) {
        const options = { nature, trouble, sigma: 5, meanOf, before, after: AFTER, spike, seed };
        const opened = openings(candidate, troubledSeries(options));
        false_ += opened.filter((index) => index < before).length;
        const first = opened.find((index) => index >= before);
        if (first !== undefined) delays.push(first - before);
      }
      const label = `${name}, ${nature}: ${trouble}`;
      return [
        { name: `${label}, found`, value: rounded((100 * delays.length) / series), unit: '%' },
        { name: `${label}, after (p50)`, value: rounded(quantile(delays, 0.5)), unit: 'values' },
      ];
    });
    const judged = series * TROUBLES.length * before;
    const rate = rounded((1e6 * false_) / judged);
    return [...rows, { name: `${name}, ${nature}: without trouble`, value: rate, unit: 'in 10^6 values' }];
  });
}

function costRows(candidate: Candidate, count: number): BenchRow[] {
  const before = Math.min(count, 100_000);
  const options = {
    nature: 'daily rhythm',
    trouble: 'none',
    sigma: 0,
    meanOf: 1,
    after: 1,
    spike: 0,
    seed: 1,
  } as const;
  const values = troubledSeries({ ...options, before });
  const ts = values.map((_, index) => index * 1000);
  const { detector, numbers } = detectorOf(candidate);
  const rounds = Math.max(1, Math.round(count / values.length));
  detector.nextColumn(ts, values, () => {});
  // Processor time: others may use the machine too.
  const begun = process.cpuUsage();
  for (let round = 0; round < rounds; round += 1) detector.nextColumn(ts, values, () => {});
  const { user, system } = process.cpuUsage(begun);
  const ns = (user + system) * 1000;
  return [
    { name: `${candidate.name}: cost`, value: rounded(ns / (rounds * values.length)), unit: 'ns/value' },
    { name: `${candidate.name}: state`, value: numbers() * 8, unit: 'B/series' },
  ];
}

/** Takes about a minute. */
export async function benchDetection(options: DetectionOptions = {}): Promise<BenchResult> {
  const { series = 100, values = 4_000_000 } = options;
  return {
    title: `detection: ${series} series of each kind, a trouble of 5 σ in each`,
    rows: CANDIDATES.flatMap((one) => [...foundRows(one, series), ...costRows(one, values)]),
  };
}

/** Of a journal that holds no trouble: every episode is a false one. */
function replayed(directory: string): BenchResult {
  const samples = recordedSamples(directory);
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) throw new Error(`no host samples in ${directory}`);
  const hours = (last.mono - first.mono) / HOUR_MS;
  const rows = (['auto', 'zscore', 'adaptive'] as const).flatMap((method): BenchRow[] => {
    const episodes = replay(samples, { ...settings, method });
    const bySeries = new Map<string, number>();
    for (const { series } of episodes) bySeries.set(series, (bySeries.get(series) ?? 0) + 1);
    return [
      { name: `${method}: episodes`, value: episodes.length, unit: '' },
      { name: `${method}: an hour`, value: rounded(episodes.length / hours), unit: '1/h' },
      {
        name: `${method}: at most, 19 times of 20`,
        value: rounded(upperBound(episodes.length) / hours),
        unit: '1/h',
      },
      ...stepRows(method, injectSteps(samples, { ...settings, method }, 5)),
      ...[...bySeries].map(([series, value]) => ({ name: `  ${method}: ${series}`, value, unit: '' })),
    ];
  });
  const width = first.schema.series.length;
  return { title: `${samples.length} host samples of ${width} series, ${rounded(hours)} hours`, rows };
}

function stepRows(method: string, injected: readonly Injected[]): BenchRow[] {
  const delays = injected.flatMap(({ afterSeconds }) => afterSeconds ?? []);
  const label = `${method}: a step of 5 σ in each of ${injected.length} series`;
  return [
    { name: `${label}, found`, value: delays.length, unit: '' },
    { name: `${label}, after (p50)`, value: rounded(quantile(delays, 0.5)), unit: 's' },
    { name: `${label}, after (longest)`, value: rounded(quantile(delays, 1)), unit: 's' },
  ];
}

/** Of the mean of a Poisson distribution of which `count` were seen, one-sided, 95 % (Wilson and Hilferty). */
function upperBound(count: number): number {
  if (count === 0) return RULE_OF_THREE;
  const degrees = count + 1;
  return degrees * (1 - 1 / (9 * degrees) + 1.645 / (3 * Math.sqrt(degrees))) ** 3;
}

if (import.meta.main) {
  const [directory] = process.argv.slice(2);
  print([directory === undefined ? await benchDetection() : replayed(directory)]);
}
