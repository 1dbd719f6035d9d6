/** Which anomalies are sought in the series of a source, and how; what was learned of them outlives the process. */
import type { InternedSchema } from '../../protocol/sample.ts';
import { seriesKey } from '../../protocol/series-key.ts';
import { createAdaptiveDetector } from '../../streams/adaptive-detector.ts';
import { type AnomalyDetector, createAnomalyDetector } from '../../streams/anomaly-detector.ts';
import type { DetectorsFor } from '../../streams/detect-anomalies.ts';
import { createMeanDetector } from '../../streams/mean-detector.ts';
import type { RawRows, SeriesTraits, Source } from '../sources/source.ts';
import type { KeptSeries } from './detection-record.ts';

export const DETECTION_CHOICES = ['auto', 'zscore', 'adaptive'] as const;

export type DetectionSettings = {
  /** `auto`: `zscore` of every value, or of means where the source says so. */
  readonly method: (typeof DETECTION_CHOICES)[number];
  /** |z| beyond which a value opens an anomaly; above 0. */
  readonly threshold: number;
  /** The same for means. */
  readonly meanThreshold: number;
  /** |z| up to which a value closes it; at most `threshold`. */
  readonly clearThreshold: number;
  /** Values of the sliding window, per series; minimum 2. */
  readonly window: number;
  /** Values to see before any judgement; at most `window`. */
  readonly warmUp: number;
  /** `adaptive`: wanted share of values beyond the threshold that is learned. */
  readonly rate: number;
};

/** Keeps a detector for each series of one source, across changes of its schema. */
export type Detection = {
  readonly detectorsFor: DetectorsFor<RawRows>;
  /** What has been learned of each series. */
  readonly save: () => Iterable<KeptSeries>;
};

export type DetectionOptions = {
  readonly settings: DetectionSettings;
  readonly source: Pick<Source, 'name' | 'meanOf' | 'beginsWith'>;
  /** Called once a series. */
  readonly traitsOf: (schema: InternedSchema, index: number) => SeriesTraits;
  /** What an earlier process had learned, by {@link Judged.id}. */
  readonly kept: ReadonlyMap<string, Float64Array>;
};

/** `id` says of what and how: what was learned under another one is of no use. */
type Judged = { readonly id: string; readonly detector: AnomalyDetector };

export function createDetection({ settings, source, traitsOf, kept }: DetectionOptions): Detection {
  let current: InternedSchema | null = null;
  let detectors: readonly (AnomalyDetector | null)[] = [];
  // Only the series of the current schema are kept, so that devices that come and go leave nothing behind.
  let byKey = new Map<string, Judged | null>();
  const judgedBy = methodOf(settings, source);
  const isKept = source.beginsWith !== 'process';

  const begin = (schema: InternedSchema, index: number, key: string): Judged | null => {
    const traits = traitsOf(schema, index);
    if (traits.cumulative === true || traits.anomalies === false) return null;
    const { name, create } = judgedBy(traits.minStddev ?? 0);
    const id = JSON.stringify([source.name, source.beginsWith === 'boot' ? schema.boot : '', key, name]);
    const learned = isKept ? kept.get(id) : undefined;
    return { id, detector: (learned && restoredFrom(create(), learned)) ?? create() };
  };

  return {
    detectorsFor: ({ schema }) => {
      if (schema === current) return detectors;
      const known = byKey;
      byKey = new Map();
      detectors = schema.series.map((series, index) => {
        const key = seriesKey(series);
        const before = known.get(key);
        const judged = before === undefined ? begin(schema, index, key) : before;
        byKey.set(key, judged);
        return judged?.detector ?? null;
      });
      current = schema;
      return detectors;
    },
    save: function* () {
      if (!isKept) return;
      for (const judged of byKey.values())
        if (judged !== null) yield { id: judged.id, learned: saved(judged.detector) };
    },
  };
}

type Method = { readonly name: string; readonly create: () => AnomalyDetector };

/** How a series is judged, by the least deviation that counts in it. */
function methodOf(
  settings: DetectionSettings,
  { meanOf }: DetectionOptions['source'],
): (minStddev: number) => Method {
  const { method, threshold, meanThreshold, clearThreshold, window, warmUp, rate } = settings;
  const named = <O extends object>(
    name: string,
    options: O,
    create: (options: O) => AnomalyDetector,
  ): Method => ({
    name: JSON.stringify([name, options]),
    create: () => create(options),
  });
  const sliding = { clearThreshold, window, warmUp };
  return (minStddev) => {
    if (method === 'adaptive') {
      const options = { rate, clearThreshold: Math.min(clearThreshold, MAX_CLEAR), minStddev };
      return named('adaptive', options, createAdaptiveDetector);
    }
    if (method === 'zscore' || meanOf === undefined)
      return named('zscore', { ...sliding, threshold, minStddev }, createAnomalyDetector);
    const options = { ...sliding, threshold: meanThreshold, minStddev, method: 'mean_zscore' } as const;
    return named(`mean of ${meanOf}`, options, (given) =>
      createMeanDetector(meanOf, createAnomalyDetector(given)),
    );
  };
}

/** The adaptive method opens nothing below 3. */
const MAX_CLEAR = 3;

function saved(detector: AnomalyDetector): Float64Array {
  const numbers: number[] = [];
  detector.save((value) => numbers.push(value));
  return Float64Array.from(numbers);
}

/** Undefined when the numbers make no sense. */
function restoredFrom(detector: AnomalyDetector, learned: Float64Array): AnomalyDetector | undefined {
  let next = 0;
  try {
    detector.restore(() => {
      const value = learned[next];
      if (value === undefined) throw new RangeError('kept: it ends too soon');
      next += 1;
      return value;
    });
    return next === learned.length ? detector : undefined;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
