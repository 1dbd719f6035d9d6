/** Reads buckets and answers with them: what the questions for them have in common. */
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { CELL_BYTES, SKETCH_BYTES, wantsPercentiles } from '../../store/bucket-tally.ts';
import type { CountedSeries } from '../../store/store.ts';
import {
  type formatSchema,
  rangeOf,
  type rangeSchema,
  type statSchema,
  stepOf,
  type stepSchema,
} from '../parameters.ts';
import type { RouteContext } from '../routes/context.ts';
import { oneRowJson, type RowHead, rowsCsv, rowsJson } from './bucket-text.ts';
import type { Exchange } from './reads.ts';
import { sendChunks } from './send-chunks.ts';

export type BucketParameters = z.output<typeof rangeSchema> &
  z.output<typeof stepSchema> &
  z.output<typeof statSchema> &
  z.output<typeof formatSchema>;

export type BucketQuestion = {
  readonly query: BucketParameters;
  /** What each row says of itself. */
  readonly heads: readonly RowHead[];
  /** Names of what a head has, in their order. */
  readonly columns: readonly string[];
  readonly series: readonly CountedSeries[];
  /** The buckets of the only row are the answer; else it is a list of rows. */
  readonly isOne: boolean;
};

const JSON_TYPE = 'application/json; charset=utf-8';
const CSV_TYPE = 'text/csv; charset=utf-8; header=present';

/** Rejects with a Problem as `Reads` does, and when it would be too many buckets. */
export async function answerBuckets(
  { store, clock, config, reads, emit }: Pick<RouteContext, 'store' | 'clock' | 'config' | 'reads' | 'emit'>,
  exchange: Exchange,
  { query, heads, columns, series, isOne }: BucketQuestion,
): Promise<FastifyReply> {
  const range = rangeOf(query, clock.now());
  const rows = heads.length;
  const stepMs = stepOf(query.step, range, { rows, maxBuckets: config.limits.bucketsPerQuery });
  const percentiles = wantsPercentiles(query.stat);
  const cells = rows * Math.ceil((range.to - range.from) / stepMs);
  const table = await reads.run(exchange, cells * (CELL_BYTES + (percentiles ? SKETCH_BYTES : 0)), () =>
    store.buckets({ ...range, stepMs, rows, percentiles, series }),
  );
  const answer = { ...range, stepMs, heads, columns, table, wanted: query.stat };
  const onStalled = () => emit({ type: 'read_given_up', reason: 'stalled' });
  if (query.format === 'csv')
    return sendChunks(exchange.reply, rowsCsv(answer), { type: CSV_TYPE, clock, onStalled });
  const parts = isOne ? oneRowJson(answer) : rowsJson(answer);
  return sendChunks(exchange.reply, parts, { type: JSON_TYPE, clock, onStalled });
}
