/** Looks for anomalies in every series of one source, across changes of its schema. */
import type { Anomaly, InternedSchema } from '../../protocol/sample.ts';
import { seriesKey } from '../../protocol/schema-ref.ts';
import { type AnomalyDetector, createAnomalyDetector } from '../../streams/detect-anomalies.ts';
import type { RawBlock, SeriesTraits } from '../sources/source.ts';

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

export const DETECTION_DEFAULTS: DetectionSettings = {
  threshold: 3,
  clearThreshold: 2,
  window: 300,
  warmUp: 30,
};

/** The anomalies that open, grow or close with this sample. Series without a value change nothing. */
export type Detect = {
  readonly sample: (
    schema: InternedSchema,
    ts: number,
    values: readonly (number | null)[],
  ) => readonly Anomaly[];
  /** The same for each row of a block. Within one row reports come in order of series; rows come in no order. */
  readonly block: (block: RawBlock, report: (row: number, anomaly: Anomaly) => void) => void;
};

const NONE: readonly Anomaly[] = [];

/**
 * @param traitsOf called once a series
 */
export function createDetect(
  settings: DetectionSettings,
  traitsOf: (schema: InternedSchema, index: number) => SeriesTraits,
): Detect {
  let current: InternedSchema | null = null;
  let detectors: readonly (AnomalyDetector | null)[] = [];
  // Only the series of the current schema are kept, so that devices that come and go leave nothing behind.
  let byKey = new Map<string, AnomalyDetector | null>();

  const adopt = (schema: InternedSchema) => {
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
  };

  return {
    sample: (schema, ts, values) => {
      if (schema !== current) adopt(schema);
      let found: Anomaly[] | null = null;
      for (let index = 0; index < values.length; index += 1) {
        const value = values[index];
        if (typeof value !== 'number') continue;
        const episode = detectors[index]?.next(ts, value);
        if (episode == null) continue;
        found ??= [];
        found.push({ series: index, ...episode });
      }
      return found ?? NONE;
    },
    block: ({ schema, ts, columns }, report) => {
      if (schema !== current) adopt(schema);
      columns.forEach(({ values }, index) => {
        detectors[index]?.nextColumn(ts, values, (row, episode) =>
          report(row, { series: index, ...episode }),
        );
      });
    },
  };
}

function detectorFor(settings: DetectionSettings, traits: SeriesTraits): AnomalyDetector | null {
  if (traits.cumulative === true || traits.anomalies === false) return null;
  return createAnomalyDetector({ ...settings, minStddev: traits.minStddev ?? 0 });
}
