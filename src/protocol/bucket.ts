/** Buckets of values by steps of time, as HQ's API has them. Times are epoch ms. */
import { z } from 'zod';
import { jsonNumberSchema } from './json-number.ts';

/** What a bucket says of the values in it. */
export const BUCKET_STATISTICS = ['count', 'min', 'max', 'mean', 'stddev', 'p50', 'p95', 'p99'] as const;
export type BucketStatistic = (typeof BUCKET_STATISTICS)[number];

/** Statistics are null where nothing came, and absent where they were not asked for. */
export const bucketSchema = z.object({
  t: z.number().describe('when the bucket begins'),
  count: z.number(),
  min: jsonNumberSchema.optional(),
  max: jsonNumberSchema.optional(),
  mean: jsonNumberSchema.optional(),
  stddev: jsonNumberSchema
    .optional()
    .describe('of the values as they are, not estimated of a population: 0 of one; NaN with an infinite one'),
  p50: jsonNumberSchema.optional().describe('within 1 % of a value that half of all do not exceed'),
  p95: jsonNumberSchema.optional(),
  p99: jsonNumberSchema.optional(),
  approx: z
    .literal(true)
    .optional()
    .describe(
      '`stddev` and percentiles that were asked for are null here, although something came: some of it came thinned, or values are of more than 17 powers of ten. Absent: they are not',
    ),
  thinned: z
    .number()
    .optional()
    .describe(
      'how many of `count` came thinned: the agent, its journal full, kept count, min, max and sum of some consecutive samples in their place. They count together, in the bucket of the earliest of them. Absent: none',
    ),
  until: z
    .number()
    .optional()
    .describe(
      'time of the last sample that counts here, when that is beyond the bucket: samples thinned together over longer than the step. Absent: none is',
    ),
});
export type Bucket = z.infer<typeof bucketSchema>;
