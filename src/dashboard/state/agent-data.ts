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
  type SeriesDocument,
  seriesDocumentSchema,
} from '../../protocol/fleet.ts';
import { stepFor } from '../charts/shape.ts';
import { type Loaded, NOT_LOADED, poll, request } from './api.ts';
import { hqNow } from './fleet.ts';
import { RANGE_MS, type RangeName } from './route.ts';

const listOf = <S extends z.ZodType>(item: S) =>
  z.object({ items: z.array(item) }).transform(({ items }) => items);
const seriesListSchema = listOf(seriesDocumentSchema);
const bucketListSchema = listOf(bucketSchema);
const anomalyListSchema = listOf(anomalyDocumentSchema);
const ledgerSchema = listOf(ledgerEntrySchema);

const agentPath = (id: string): string => `api/v1/agents/${encodeURIComponent(id)}`;

export const [useSeriesList] = bind(
  (id: string): Observable<Loaded<readonly SeriesDocument[]>> =>
    poll(10_000, () => request(`${agentPath(id)}/series`, seriesListSchema)),
  NOT_LOADED,
);

export const [useLedger] = bind(
  (id: string): Observable<Loaded<readonly LedgerEntry[]>> =>
    poll(2000, () => request(`${agentPath(id)}/ledger`, ledgerSchema)),
  NOT_LOADED,
);

export const [useAnomalies] = bind(
  (id: string, range: RangeName): Observable<Loaded<readonly AnomalyDocument[]>> =>
    poll(4000, () => {
      const to = Math.ceil(hqNow());
      return request(`${agentPath(id)}/anomalies?from=${to - RANGE_MS[range]}&to=${to}`, anomalyListSchema);
    }),
  NOT_LOADED,
);

export type BucketWindow = {
  readonly from: number;
  readonly to: number;
  readonly stepMs: number;
  readonly buckets: readonly Bucket[];
};

/** Buckets of one series for a chart `widthPx` wide; callers round the width so that a resize does not ask anew for each pixel. */
export const [useBuckets] = bind(
  (id: string, series: string, range: RangeName, widthPx: number): Observable<Loaded<BucketWindow>> => {
    const stepMs = stepFor(RANGE_MS[range], widthPx);
    return poll(Math.min(15_000, Math.max(2000, stepMs / 2)), () => {
      // On whole steps, so that buckets do not change their borders from poll to poll.
      const to = Math.ceil(hqNow() / stepMs) * stepMs;
      const from = to - RANGE_MS[range];
      const path = `${agentPath(id)}/series/${encodeURIComponent(series)}?from=${from}&to=${to}&step=${stepMs}`;
      return request(path, bucketListSchema).pipe(map((buckets) => ({ from, to, stepMs, buckets })));
    });
  },
  NOT_LOADED,
);
