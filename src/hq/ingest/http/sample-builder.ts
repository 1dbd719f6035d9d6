/** Turns records into samples; records of one shape share one schema. */
import type { InternedSchema, Sample } from '../../../protocol/sample.ts';
import { internSchema } from '../../../protocol/schema-ref.ts';
import { seriesKey } from '../../../protocol/series-key.ts';
import type { TelemetryRecord } from './telemetry-record.ts';

/** Schemas that are kept at hand; a record of another shape costs one hash. */
const CACHED_SCHEMAS = 1000;

export type BuiltSample =
  | { readonly ok: true; readonly sample: Sample }
  | { readonly ok: false; readonly twice: string };

export type SampleBuilder = {
  /** `mono` is HQ's monotonic time of arrival. Not ok: the record holds the series `twice` two times. */
  readonly build: (record: TelemetryRecord, mono: number) => BuiltSample;
};

/** `boot` names the boot of HQ's machine, which `mono` counts from. */
export function createSampleBuilder(boot: string): SampleBuilder {
  const schemas = new Map<string, InternedSchema>();

  const schemaOf = (source: string, metrics: readonly KeyedMetric[]): InternedSchema => {
    const shape = JSON.stringify([source, metrics.map(({ key, metric }) => [key, metric.series.unit])]);
    const known = schemas.get(shape);
    if (known !== undefined) return known;
    const schema = internSchema({ source, boot, series: metrics.map(({ metric }) => metric.series) });
    const oldest = schemas.size >= CACHED_SCHEMAS ? schemas.keys().next().value : undefined;
    if (oldest !== undefined) schemas.delete(oldest);
    schemas.set(shape, schema);
    return schema;
  };

  return {
    build: (record, mono) => {
      const metrics = record.metrics
        .map((metric) => ({ metric, key: seriesKey(metric.series) }))
        .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
      const twice = metrics.find(({ key }, index) => metrics[index + 1]?.key === key);
      if (twice !== undefined) return { ok: false, twice: twice.key };
      const schema = schemaOf(record.source, metrics);
      const values = metrics.map(({ metric }) => metric.value);
      return { ok: true, sample: { schema, ts: record.ts, mono, values, anomalies: [], diagnostics: [] } };
    },
  };
}

type KeyedMetric = { readonly key: string; readonly metric: TelemetryRecord['metrics'][number] };
