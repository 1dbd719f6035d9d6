/** What a client of the telemetry stream wants to see: the query of its address. */
import { z } from 'zod';
import type { Labels } from '../../../protocol/labels.ts';
import { fieldErrors } from '../../http/field-errors.ts';
import { Problem } from '../../http/problem.ts';
import { labelFilter, labelFilterSchema, listOf } from '../parameters.ts';
import { seriesMatcher, seriesPatternSchema } from '../series-matcher.ts';

const one = z.string().min(1).max(64);
export const streamQuerySchema = z.object({
  agent: z
    .union([one, z.array(one).max(100)])
    .optional()
    .describe('only of these agents; it may repeat'),
  series: seriesPatternSchema.optional(),
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
  return {
    wantsAgent: (agent, labelsOf) =>
      (agents.size === 0 || agents.has(agent)) && (label === undefined || fits(labelsOf(agent))),
    wantsSeries: seriesMatcher(wanted),
    seriesText: JSON.stringify([...wanted].sort()),
  };
}
