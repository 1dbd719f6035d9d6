/** Query and path parameters of the API. */
import { z } from 'zod';
import { BUCKET_STATISTICS, type BucketStatistic } from '../../protocol/bucket.ts';
import type { Labels } from '../../protocol/labels.ts';
import { MAX_TS } from '../../protocol/sample.ts';
import { parseDuration, parseQueryInstant } from '../http/instant.ts';
import { Problem } from '../http/problem.ts';

const HOUR_MS = 3_600_000;
/** Most buckets in one answer. */
export const MAX_BUCKETS = 10_000;
/** Buckets that a query without a step aims at, at most. */
const DEFAULT_BUCKETS = 500;
const ROUND_STEPS_MS = [1, 5, 10, 15, 30, 60, 300, 600, 900, 1800, 3600, 10_800, 21_600, 43_200, 86_400].map(
  (s) => s * 1000,
);

const instant = z.string().transform((text, context) => {
  const ms = parseQueryInstant(text);
  if (ms !== null) return ms;
  context.addIssue({
    code: 'custom',
    message: 'must be an RFC 3339 time such as 2026-01-31T12:00:00Z, or epoch ms',
  });
  return z.NEVER;
});

export const durationSchema = z.string().transform((text, context) => {
  const ms = parseDuration(text);
  if (ms !== null) return ms;
  context.addIssue({ code: 'custom', message: 'must be a duration such as 10s, 5m, 1h, or a number of ms' });
  return z.NEVER;
});

export const agentParametersSchema = z.object({ id: z.string().min(1).max(64).describe('id of the agent') });
export const seriesSchema = z.object({
  series: z
    .string()
    .min(1)
    .max(20_000)
    .describe(
      'URL-encoded key of the series, for instance `system.network.io{device=eth0,direction=receive}`',
    ),
});
/** Series that one question may name. */
const MAX_SERIES_NAMED = 1_000;
export const seriesListSchema = z.object({
  series: z
    .union([seriesSchema.shape.series, z.array(seriesSchema.shape.series).min(1).max(MAX_SERIES_NAMED)])
    .describe(`${seriesSchema.shape.series.description}; it may repeat`),
});

const isStatistic = (name: string): name is BucketStatistic =>
  (BUCKET_STATISTICS as readonly string[]).includes(name);
export const statSchema = z.object({
  stat: z
    .union([z.string(), z.array(z.string()).max(100)])
    .optional()
    .transform((given, context): ReadonlySet<BucketStatistic> => {
      if (given === undefined) return new Set(BUCKET_STATISTICS);
      const names = listOf(given).flatMap((text) => text.split(','));
      const wanted = names.filter(isStatistic);
      if (wanted.length === names.length) return new Set(wanted);
      const unknown = names.find((name) => !isStatistic(name));
      context.addIssue({
        code: 'custom',
        message: `has no "${unknown?.slice(0, 40)}": it must be one of ${BUCKET_STATISTICS.join(', ')}, or several`,
      });
      return z.NEVER;
    })
    .describe(
      `which figures buckets have besides \`t\` and \`count\`: some of ${BUCKET_STATISTICS.join(', ')}, with commas between them, or repeated; default: all. Percentiles cost more than the others`,
    ),
});
export const formatSchema = z.object({
  format: z
    .enum(['json', 'csv'])
    .default('json')
    .describe('csv: one line a bucket, with a line of names before them'),
});

/** A parameter that may repeat, as a list. */
export function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}

export const seriesParametersSchema = agentParametersSchema.extend(seriesSchema.shape);
export const seriesRestParametersSchema = agentParametersSchema.extend({ '*': seriesSchema.shape.series });

export const gpuParametersSchema = z.object({
  gpu: z.string().min(1).max(256).describe('uuid of the GPU, or its index where that names one alone'),
});
export const agentFilterSchema = z.object({
  agent: z.string().min(1).max(64).optional().describe('only what this agent measures'),
});
export const timesSchema = z.object({
  start_time: instant.optional().describe('inclusive; RFC 3339 or epoch ms; default: of the first sample'),
  end_time: instant.optional().describe('exclusive; RFC 3339 or epoch ms; default: now'),
});

const SELECTOR =
  'must be the name of a label and its value, such as site:nord, or a name alone, which stands for any value';
const labelSelector = z.string().regex(/^[A-Za-z][A-Za-z0-9._-]{0,62}(:.{1,128})?$/s, SELECTOR);
export const labelFilterSchema = z.object({
  label: z
    .union([labelSelector, z.array(labelSelector).max(32)], { error: SELECTOR })
    .optional()
    .describe(
      'only agents with this label: `site:nord`, or `site` for any value. It may repeat: several values of one name are alternatives, of several names all must fit',
    ),
});

export const pageSchema = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe('most items in the answer'),
  cursor: z
    .string()
    .max(2000)
    .regex(/^[A-Za-z0-9_.~=-]+$/, 'must be a cursor that an earlier answer gave')
    .optional()
    .describe('where to go on: the cursor of the answer before'),
});
export type PageQuery = z.infer<typeof pageSchema>;

/** Samples are small and read in bulk: longer pages. */
export const samplePageSchema = pageSchema.extend({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .default(100)
    .describe('most items in the answer; of large samples it has fewer, about 4 MiB, and a cursor'),
});

export const rangeSchema = z.object({
  from: instant.optional().describe('inclusive; RFC 3339 or epoch ms; default: one hour before `to`'),
  to: instant.optional().describe('exclusive; RFC 3339 or epoch ms; default: now'),
});

export const stepSchema = z.object({
  step: durationSchema
    .optional()
    .describe('length of a bucket: 10s, 5m, 1h or ms; default: a round one that gives at most 500 buckets'),
});

export const withinSchema = z.object({
  within: durationSchema
    .default(60_000)
    .describe('what arrives so long after its own time is on time: 10s, 5m, 1h or ms'),
});
export const asOfSchema = z.object({
  asOf: instant
    .optional()
    .describe(
      'what arrived later counts as pending; RFC 3339 or epoch ms; default: all counts that is there',
    ),
});

export const sourceSchema = z.object({
  source: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe(
      'source that measures the series; needed when several sources of the agent have one of this name',
    ),
});

/** Whether labels fit what a query asks for. */
export function labelFilter({ label = [] }: z.output<typeof labelFilterSchema>): (labels: Labels) => boolean {
  const wanted = new Map<string, Set<string | null>>();
  for (const selector of listOf(label)) {
    const at = selector.indexOf(':');
    const name = at < 0 ? selector : selector.slice(0, at);
    const values = wanted.get(name) ?? new Set();
    wanted.set(name, values.add(at < 0 ? null : selector.slice(at + 1)));
  }
  return (labels) =>
    [...wanted].every(([name, values]) => {
      const value = Object.hasOwn(labels, name) ? labels[name] : undefined;
      return value !== undefined && (values.has(null) || values.has(value));
    });
}

/** The range with its defaults. Throws a Problem when it is empty or backwards. */
export function rangeOf(query: z.output<typeof rangeSchema>, now: number): { from: number; to: number } {
  // `to` is exclusive; what was stored in this very millisecond belongs to "until now".
  const to = query.to ?? Math.max(now + 1, (query.from ?? now) + 1);
  const from = query.from ?? to - HOUR_MS;
  if (from < to) return { from, to };
  const errors = [{ field: 'from', message: 'must be before `to`' }];
  throw new Problem('bad_request', 'from: must be before `to`', { errors });
}

/** The range of `start_time` and `end_time` with its defaults. Throws a Problem when it is empty or backwards. */
export function timesOf(query: z.output<typeof timesSchema>, now: number): { from: number; to: number } {
  // `to` is exclusive; what was stored in this very millisecond belongs to "until now".
  const { start_time: from = -MAX_TS, end_time: to = Math.max(now, from) + 1 } = query;
  if (from < to) return { from, to };
  const errors = [{ field: 'start_time', message: 'must be before `end_time`' }];
  throw new Problem('bad_request', 'start_time: must be before `end_time`', { errors });
}

export type StepOptions = {
  /** Rows of the answer, each of which has all the buckets. */
  readonly rows?: number;
  /** Most buckets over all rows. Default: no bound but the one of a row. */
  readonly maxBuckets?: number;
};

/** The step, or a round one. Throws a Problem when it makes too many buckets. */
export function stepOf(
  requested: number | undefined,
  { from, to }: { from: number; to: number },
  { rows = 1, maxBuckets = MAX_BUCKETS }: StepOptions = {},
): number {
  const span = to - from;
  const most = Math.min(MAX_BUCKETS, Math.floor(maxBuckets / rows));
  if (most < 1)
    throw refused(
      'series',
      `gives ${rows} rows, more than limits.bucketsPerQuery (${maxBuckets}): take fewer`,
    );
  const aim = Math.min(DEFAULT_BUCKETS, most);
  const stepMs = requested ?? ROUND_STEPS_MS.find((ms) => span / ms <= aim) ?? Math.ceil(span / aim);
  if (span / stepMs <= most) return stepMs;
  const bound =
    most === MAX_BUCKETS
      ? `${most} buckets`
      : `${most} buckets, as many as each of ${rows} rows may have (limits.bucketsPerQuery)`;
  throw refused(
    'step',
    `makes more than ${bound}: take ${Math.ceil(span / most)}ms or more, or a shorter range`,
  );
}

function refused(field: string, message: string): Problem {
  return new Problem('bad_request', `${field}: ${message}`, { errors: [{ field, message }] });
}
