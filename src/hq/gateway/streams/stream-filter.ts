/** What a client of the telemetry stream wants to see: the query of its address. */
import { z } from 'zod';
import type { Labels } from '../../../protocol/labels.ts';
import { nameOfKey } from '../../../protocol/series-key.ts';
import { fieldErrors } from '../../http/field-errors.ts';
import { Problem } from '../../http/problem.ts';
import { labelFilter, labelFilterSchema } from '../parameters.ts';

const SERIES =
  'must be the name of a metric, the key of a series, or the beginning of either with a * behind it';
const one = z.string().min(1).max(64);
const series = z.string({ error: SERIES }).min(1, SERIES).max(20_000, SERIES);
export const streamQuerySchema = z.object({
  agent: z
    .union([one, z.array(one).max(100)])
    .optional()
    .describe('only of these agents; it may repeat'),
  series: z
    .union([series, z.array(series).max(100)])
    .optional()
    .describe(
      'only series of this metric (`hw.gpu.utilization`), of this key, or that begin with what stands before a `*`; it may repeat',
    ),
  ...labelFilterSchema.shape,
});

export type StreamFilter = {
  /** Whether anything of the agent is wanted. */
  readonly wantsAgent: (agent: string, labelsOf: (agent: string) => Labels) => boolean;
  readonly wantsSeries: (key: string) => boolean;
  /** Filters with one text want the same series. */
  readonly seriesText: string;
};

/** Throws a Problem that names what is wrong. */
export function streamFilter(search: URLSearchParams): StreamFilter {
  const given: Record<string, unknown> = {};
  for (const name of new Set(search.keys())) {
    const values = search.getAll(name);
    given[name] = values.length === 1 ? values[0] : values;
  }
  const parsed = z.strictObject(streamQuerySchema.shape).safeParse(given);
  if (!parsed.success) {
    const errors = fieldErrors(parsed.error.issues);
    const [first] = errors;
    throw new Problem('bad_request', `${first?.field}: ${first?.message}`, { errors });
  }
  const agents = new Set(listOf(parsed.data.agent));
  const wanted = listOf(parsed.data.series);
  const { label } = parsed.data;
  const fits = labelFilter(parsed.data);
  const exact = new Set(wanted.filter((text) => !text.endsWith('*')));
  const beginnings = wanted.filter((text) => text.endsWith('*')).map((text) => text.slice(0, -1));
  return {
    wantsAgent: (agent, labelsOf) =>
      (agents.size === 0 || agents.has(agent)) && (label === undefined || fits(labelsOf(agent))),
    wantsSeries: (key) =>
      wanted.length === 0 ||
      exact.has(key) ||
      exact.has(nameOfKey(key)) ||
      beginnings.some((beginning) => key.startsWith(beginning)),
    seriesText: JSON.stringify([...wanted].sort()),
  };
}

const listOf = (value: string | readonly string[] | undefined): readonly string[] =>
  value === undefined ? [] : typeof value === 'string' ? [value] : value;
