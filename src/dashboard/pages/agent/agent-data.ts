/** What the agent page asks of HQ's API, polled while someone looks at it. */
import { bind } from '@react-rxjs/core';
import { map, type Observable } from 'rxjs';
import { z } from 'zod';
import {
  type AnomalyDocument,
  anomalyDocumentSchema,
  type Bucket,
  bucketSchema,
  type LedgerEntry,
  ledgerEntrySchema,
  seriesDocumentSchema,
} from '../../../protocol/api.ts';
import { type Loaded, NOT_LOADED, poll, request, requestAll } from '../../state/api.ts';
import { hqNow } from '../../state/fleet.ts';
import { RANGE_MS, type RangeName } from '../../state/route.ts';
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
  (id: string, range: RangeName): Observable<Loaded<readonly AnomalyDocument[]>> =>
    poll(4000, () => {
      const to = Math.ceil(hqNow());
      return requestAll(
        `${agentPath(id)}/anomalies?from=${to - RANGE_MS[range]}&to=${to}`,
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

/** HQ decodes what it answers with: the longer the range, the more that is, and the less its end moves. */
export const POLL_MS: Readonly<Record<RangeName, number>> = {
  '5m': 2000,
  '1h': 5000,
  '6h': 20_000,
  '24h': 60_000,
};

/**
 * Buckets of one series of one source for a chart `widthPx` wide; callers round the width so that a resize does not ask
 * again for each pixel.
 */
export const [useBuckets] = bind(
  (
    id: string,
    source: string,
    series: string,
    range: RangeName,
    widthPx: number,
  ): Observable<Loaded<BucketWindow>> => {
    const stepMs = stepFor(RANGE_MS[range], widthPx);
    return poll(POLL_MS[range], () => {
      // On whole steps, so that buckets do not change their borders from poll to poll.
      const to = Math.ceil(hqNow() / stepMs) * stepMs;
      const from = to - RANGE_MS[range];
      const query = `from=${from}&to=${to}&step=${stepMs}&source=${encoded(source)}`;
      const path = `${agentPath(id)}/series/${encoded(series)}?${query}`;
      return request(path, bucketListSchema).pipe(map(({ items }) => ({ from, to, stepMs, buckets: items })));
    });
  },
  NOT_LOADED,
);
