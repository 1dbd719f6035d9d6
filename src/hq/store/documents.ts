/** How stored things look as JSON. */
import type { AnomalyDocument } from '../../protocol/api.ts';
import type { Anomaly, InternedSchema } from '../../protocol/sample.ts';
import { seriesKey } from '../../protocol/schema-ref.ts';

/** JSON has no NaN and no infinities: they become strings. */
export function jsonNumber(value: number): number | 'NaN' | 'Infinity' | '-Infinity' {
  if (Number.isFinite(value)) return value;
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}

const finiteOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);

export function anomalyDocument(anomaly: Anomaly, schema: InternedSchema | undefined): AnomalyDocument {
  const series = schema?.series[anomaly.series];
  return {
    series: series === undefined ? `#${anomaly.series}` : seriesKey(series),
    ...(schema === undefined ? {} : { source: schema.source }),
    unit: series?.unit ?? '',
    state: anomaly.state,
    startTs: anomaly.startTs,
    endTs: anomaly.endTs,
    peakTs: anomaly.peakTs,
    peakValue: jsonNumber(anomaly.peakValue),
    peakZ: jsonNumber(anomaly.peakZ),
    mean: finiteOrNull(anomaly.mean),
    stddev: finiteOrNull(anomaly.stddev),
    ...(anomaly.judgement && {
      method: anomaly.judgement.method,
      threshold: finiteOrNull(anomaly.judgement.threshold),
    }),
  };
}
