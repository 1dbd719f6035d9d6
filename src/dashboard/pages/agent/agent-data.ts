/** What the agent page asks of HQ's API, polled while someone looks at it. */
import { bind } from '@react-rxjs/core';
import { map, type Observable } from 'rxjs';
import { z } from 'zod';
import {
  type AnomalyDocument,
  anomalyDocumentSchema,
  type LedgerEntry,
  ledgerEntrySchema,
  seriesDocumentSchema,
} from '../../../protocol/api.ts';
import { type Bucket, bucketSchema } from '../../../protocol/bucket.ts';
import { type Loaded, NOT_LOADED, poll, request, requestAll } from '../../state/api.ts';
import { hqNow } from '../../state/fleet.ts';
import { type NamedSeries, nameSeries } from './named-series.ts';
import { stepFor } from './shape.ts';

const bucketListSchema = z.object({ items: z.array(bucketSchema) });

/** Half of a surrogate pair, from before HQ refused it, would throw. */
const encoded = (text: string): string => encodeURIComponent(text.toWellFormed());
const agentPath = (id: string): string => `api/v1/agents/${encodeURIComponent(id)}`;

export const [useSeriesList] = bind(
  (id: string): Observable<Loaded<readonly NamedSeries[]>> =>
    poll(10_000, () => requestAll(`${agentPath(id)}/series?`, seriesDocumentSchema).pipe(map(nameSeries))),
  NOT_LOADED,
);

export const [useLedger] = bind(
  (id: string): Observable<Loaded<readonly LedgerEntry[]>> =>
    poll(2000, () => requestAll(`${agentPath(id)}/ledger?`, ledgerEntrySchema)),
  NOT_LOADED,
);

export const [useAnomalies] = bind(
  (id: string, from: number | null, spanMs: number): Observable<Loaded<readonly AnomalyDocument[]>> =>
    poll(4000, () => {
      const begin = from ?? Math.ceil(hqNow()) - spanMs;
      return requestAll(
        `${agentPath(id)}/anomalies?from=${begin}&to=${begin + spanMs}`,
        anomalyDocumentSchema,
      );
    }),
  NOT_LOADED,
);

export type BucketWindow = {
  readonly from: number;
  readonly to: number;
  readonly stepMs: number;
  readonly buckets: readonly Bucket[];
};

/** HQ decodes what it answers with: the longer the span, the more that is, and the less its end moves. */
export function pollMsFor(spanMs: number): number {
  if (spanMs <= 300_000) return 2000;
  if (spanMs <= 3_600_000) return 5000;
  return spanMs <= 21_600_000 ? 20_000 : 60_000;
}

/**
 * Buckets of one series of one source for a chart `widthPx` wide, from `from` on or up to now. Callers round the width
 * so that a resize does not ask again for each pixel.
 */
export const [useBuckets] = bind(
  (
    id: string,
    source: string,
    series: string,
    from: number | null,
    spanMs: number,
    widthPx: number,
  ): Observable<Loaded<BucketWindow>> => {
    const stepMs = stepFor(spanMs, widthPx);
    return poll(pollMsFor(spanMs), () => {
      // On whole steps, so that buckets do not change their borders from poll to poll.
      const to = Math.ceil((from === null ? hqNow() : from + spanMs) / stepMs) * stepMs;
      const begin = from === null ? to - spanMs : Math.floor(from / stepMs) * stepMs;
      const query = `from=${begin}&to=${to}&step=${stepMs}&stat=min,max,mean&source=${encoded(source)}`;
      const path = `${agentPath(id)}/query?series=${encoded(series)}&${query}`;
      return request(path, bucketListSchema).pipe(
        map(({ items }) => ({ from: begin, to, stepMs, buckets: items })),
      );
    });
  },
  NOT_LOADED,
);
