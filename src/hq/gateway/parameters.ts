/** Query and path parameters of the API. */
import { z } from 'zod';
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

const step = z.string().transform((text, context) => {
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
  step: step
    .optional()
    .describe('length of a bucket: 10s, 5m, 1h or ms; default: a round one that gives at most 500 buckets'),
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
  for (const selector of typeof label === 'string' ? [label] : label) {
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

/** The step, or a round one. Throws a Problem when it makes too many buckets. */
export function stepOf(requested: number | undefined, { from, to }: { from: number; to: number }): number {
  const span = to - from;
  const fallback =
    ROUND_STEPS_MS.find((ms) => span / ms <= DEFAULT_BUCKETS) ?? Math.ceil(span / DEFAULT_BUCKETS);
  const stepMs = requested ?? fallback;
  if (span / stepMs <= MAX_BUCKETS) return stepMs;
  const message = `makes more than ${MAX_BUCKETS} buckets: take ${Math.ceil(span / MAX_BUCKETS)}ms or more, or a shorter range`;
  throw new Problem('bad_request', `step: ${message}`, { errors: [{ field: 'step', message }] });
}
