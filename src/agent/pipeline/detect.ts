/** Which anomalies are sought in the series of a source, and how. */
import type { InternedSchema } from '../../protocol/sample.ts';
import { seriesKey } from '../../protocol/schema-ref.ts';
import { type AnomalyDetector, createAnomalyDetector } from '../../streams/anomaly-detector.ts';
import type { DetectorsFor } from '../../streams/detect-anomalies.ts';
import type { RawRows, SeriesTraits } from '../sources/source.ts';

export type DetectionSettings = {
  /** |z| beyond which a value opens an anomaly; above 0. */
  readonly threshold: number;
  /** |z| up to which a value closes it; at most `threshold`. */
  readonly clearThreshold: number;
  /** Values of the sliding window, per series; minimum 2. */
  readonly window: number;
  /** Values to see before any judgement; at most `window`. */
  readonly warmUp: number;
};

/**
 * Keeps a detector for each series of one source, across changes of its schema.
 *
 * @param traitsOf called once a series
 */
export function createDetectors(
  settings: DetectionSettings,
  traitsOf: (schema: InternedSchema, index: number) => SeriesTraits,
): DetectorsFor<RawRows> {
  let current: InternedSchema | null = null;
  let detectors: readonly (AnomalyDetector | null)[] = [];
  // Only the series of the current schema are kept, so that devices that come and go leave nothing behind.
  let byKey = new Map<string, AnomalyDetector | null>();

  return ({ schema }) => {
    if (schema === current) return detectors;
    const known = byKey;
    byKey = new Map();
    detectors = schema.series.map((series, index) => {
      const key = seriesKey(series);
      const kept = known.get(key);
      const detector = kept === undefined ? detectorFor(settings, traitsOf(schema, index)) : kept;
      byKey.set(key, detector);
      return detector;
    });
    current = schema;
    return detectors;
  };
}

function detectorFor(settings: DetectionSettings, traits: SeriesTraits): AnomalyDetector | null {
  if (traits.cumulative === true || traits.anomalies === false) return null;
  return createAnomalyDetector({ ...settings, minStddev: traits.minStddev ?? 0 });
}
