/** Options of sources: each can be written as text (`--source sim:hz=10`) or as a typed value (YAML). */
import { z } from 'zod';

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A number within bounds. */
export function numberOption(bounds: {
  readonly min: number;
  readonly max: number;
  readonly integer?: boolean;
}) {
  const number = z
    .number({ error: unless('a number') })
    .min(bounds.min)
    .max(bounds.max);
  const bounded = bounds.integer === true ? number.int() : number;
  return z.preprocess((value) => (typeof value === 'string' ? (numberIn(value) ?? value) : value), bounded);
}

function numberIn(text: string): number | null {
  const value = Number(text);
  return text.trim() === '' || Number.isNaN(value) ? null : value;
}

/** Numbers that are out of bounds are told so by the bounds. */
const unless = (expected: string) => (issue: { readonly input?: unknown }) =>
  typeof issue.input === 'number' ? undefined : `expected ${expected}, got ${JSON.stringify(issue.input)}`;

/** A switch: `loop`, `loop=true`, `loop=false`. */
export const flagOption = z.preprocess(
  (value) => (value === '' || value === 'true' ? true : value === 'false' ? false : value),
  z.boolean(),
);

/** A duration in ms: `1s`, `500ms`, `2m`, `1h`; a bare number is ms. */
export function durationOption(bounds: { readonly min: number; readonly max: number }) {
  return z.preprocess(
    (value) => (typeof value === 'string' ? (durationMs(value) ?? value) : value),
    z
      .number({ error: unless('a duration such as 500ms, 1s or 2m') })
      .int()
      .min(bounds.min)
      .max(bounds.max),
  );
}

function durationMs(text: string): number | null {
  const match = DURATION.exec(text.trim());
  if (match === null) return null;
  return Number(match[1]) * (UNIT_MS[match[2] ?? 'ms'] ?? 1);
}

/** Name of an instance; its place in the schema allows 64 characters. */
export const nameOption = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
    'must be letters, digits and . _ -, a letter or digit first, 64 at most',
  )
  .optional()
  .describe('name of this instance; default: its kind, numbered from the second on');
