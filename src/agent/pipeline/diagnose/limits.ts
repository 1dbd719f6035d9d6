/** What the settings say that is normal for a series, and which of it counts for which. */
import { z } from 'zod';
import type { Limits } from '../../sources/source.ts';

const level = z.number();

export const limitsSchema = z.strictObject({
  min: level.optional().describe('lowest value that makes sense; below it: out_of_range'),
  max: level.optional().describe('highest value that makes sense; above it: out_of_range'),
  railLow: level.optional().describe('at or below it the sensor sits on its lower rail: rail_low'),
  railHigh: level.optional().describe('at or above it the sensor sits on its upper rail: rail_high'),
  stuckAfterMs: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe('ms without the least change until the series counts as stuck'),
  minStddev: z
    .number()
    .min(0)
    .optional()
    .describe('least standard deviation that anomalies are judged by, in the unit of the series'),
  staleAfterMs: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe('ms without a value until the series counts as stale'),
}) satisfies z.ZodType<Limits>;

export const rangeRuleSchema = limitsSchema.extend({
  series: z
    .string()
    .min(1)
    .max(512)
    .describe('series this applies to, such as `sim.sensor{sensor=1}`; `*` stands for any text'),
});
/** Limits for the series that match a pattern. */
export type RangeRule = Readonly<z.infer<typeof rangeRuleSchema>>;

/** The first rule whose pattern matches `key`, else `defaults`; what the rule leaves out is taken from `defaults`. */
export function limitsFor(key: string, rules: readonly RangeRule[], defaults: Limits): Limits {
  const rule = rules.find((one) => patternMatches(one.series, key));
  if (rule === undefined) return defaults;
  const { series: _pattern, ...limits } = rule;
  return { ...defaults, ...limits };
}

/**
 * Whether `text` has the form of `pattern`, where `*` stands for any text. Takes linear time in practice: no
 * backtracking over stars.
 */
export function patternMatches(pattern: string, text: string): boolean {
  const parts = pattern.split('*');
  const first = parts[0] ?? '';
  const last = parts[parts.length - 1] ?? '';
  if (parts.length === 1) return text === pattern;
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last))
    return false;
  let from = first.length;
  const until = text.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, from);
    if (found < 0 || found + part.length > until) return false;
    from = found + part.length;
  }
  return true;
}
