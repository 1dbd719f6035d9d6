/** How stored things look as JSON. */
import type { AnomalyDocument } from '../../protocol/api.ts';
import { jsonNumber } from '../../protocol/json-number.ts';
import { type Anomaly, type InternedSchema, MAX_TS } from '../../protocol/sample.ts';
import { seriesKey } from '../../protocol/series-key.ts';

/** Times that a Date holds. What was stored before HQ asked that of all may have others, and is left out. */
export function isReadable({ startTs, peakTs, endTs }: Anomaly): boolean {
  return [startTs, peakTs, endTs ?? 0].every((ts) => Math.abs(ts) <= MAX_TS);
}

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
    mean: jsonNumber(anomaly.mean),
    stddev: jsonNumber(anomaly.stddev),
    ...(anomaly.judgement && {
      method: anomaly.judgement.method,
      threshold: jsonNumber(anomaly.judgement.threshold),
    }),
  };
}
