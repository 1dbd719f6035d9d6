/** How stored things look as JSON. */
import type { AnomalyDocument, JsonNumber } from '../../protocol/api.ts';
import { type Anomaly, type InternedSchema, MAX_TS } from '../../protocol/sample.ts';
import { seriesKey } from '../../protocol/series-key.ts';

/** JSON has no NaN and no infinities, and JavaScript writes −0 as 0: they become strings. */
export function jsonNumber(value: number): Exclude<JsonNumber, null> {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : value;
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}

/** Times that a Date holds. What was stored before HQ asked that of all may have others, and is left out. */
export function isReadable({ startTs, peakTs, endTs }: Anomaly): boolean {
  return [startTs, peakTs, endTs ?? 0].every((ts) => Math.abs(ts) <= MAX_TS);
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
