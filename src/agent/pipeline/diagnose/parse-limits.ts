/** Limits of series as settings: `PATTERN:key=number,…`, for instance `sim.sensor*:min=0,max=100,railHigh=100`. */
import { nearestName } from '../../../platform/nearest.ts';
import { limitsSchema, type RangeRule, rangeRuleSchema } from './limits.ts';

const KEYS = Object.keys(limitsSchema.shape);

/** A text that says no limits; the message tells what to write. */
export class LimitsError extends Error {
  override readonly name = 'LimitsError';
}

/** The pattern ends at the last colon, as attributes may hold some. Throws LimitsError. */
export function parseLimits(text: string): RangeRule {
  const colon = text.lastIndexOf(':');
  const given = colon < 0 ? '' : text.slice(colon + 1).trim();
  if (colon < 1 || given === '') {
    throw new LimitsError(`limits \`${text}\`: expected SERIES:key=number,… with keys ${KEYS.join(', ')}`);
  }
  const limits: Record<string, number> = {};
  for (const item of given.split(',')) {
    const [key = '', value = '', ...rest] = item.split('=').map((part) => part.trim());
    if (!KEYS.includes(key)) {
      const nearest = nearestName(key, KEYS);
      const hint = nearest === null ? `known: ${KEYS.join(', ')}` : `did you mean \`${nearest}\`?`;
      throw new LimitsError(`limits \`${text}\`: unknown key \`${key}\`; ${hint}`);
    }
    const number = Number(value);
    if (value === '' || rest.length > 0 || !Number.isFinite(number)) {
      throw new LimitsError(`limits \`${text}\`: ${key} must be a number`);
    }
    limits[key] = number;
  }
  const parsed = rangeRuleSchema.safeParse({ series: text.slice(0, colon).trim(), ...limits });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new LimitsError(`limits \`${text}\`: ${problems.join('; ')}`);
}

/** What is wrong with the limits of an agent, a sentence each; empty when all is well. */
export function limitsProblems(texts: readonly string[]): string[] {
  return texts.flatMap((text) => {
    try {
      parseLimits(text);
      return [];
    } catch (error) {
      if (!(error instanceof LimitsError)) throw error;
      return [error.message];
    }
  });
}
