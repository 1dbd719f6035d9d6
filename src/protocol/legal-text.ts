/**
 * Text that every reader, log and screen can hold, and what may name a series: one rule, however a series comes to HQ.
 *
 * HQ asks it at the door only. Schemas that were stored before are read as they are.
 */
import { z } from 'zod';
import { MAX_SERIES_PER_SCHEMA, type Schema } from './sample.ts';
import { seriesKey } from './series-key.ts';

/** C0, DEL and C1. */
const CONTROL = /\p{Cc}/u;
const CONTROLS = /\p{Cc}/gu;

/** Attributes of one series. */
export const MAX_ATTRIBUTES = 32;

/** Whether it is well-formed Unicode, that is without half of a surrogate pair, and has no control characters. */
export function isLegalText(text: string): boolean {
  return text.isWellFormed() && !CONTROL.test(text);
}

/** The text with control characters as `\x09`, half pairs as U+FFFD, cut to `max` UTF-16 code units. */
export function legalText(text: string, max: number): string {
  return text.replaceAll(CONTROLS, escapeOf).slice(0, max).toWellFormed();
}

const escapeOf = (control: string): string => `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`;

function legal(min: number, max: number) {
  const length = min === 0 ? `at most ${max}` : `${min} to ${max}`;
  const error = `must be ${length} characters of well-formed Unicode, no control characters among them`;
  return z.string({ error }).min(min, { error }).max(max, { error }).refine(isLegalText, { error });
}

const PROTOTYPE = { error: 'must not be __proto__' };
const isNoPrototype = (text: string) => text !== '__proto__';
const attributesSchema = z
  .record(legal(1, 64).refine(isNoPrototype, PROTOTYPE), legal(0, 256))
  .refine((all) => Object.keys(all).length <= MAX_ATTRIBUTES, { error: `must be ${MAX_ATTRIBUTES} at most` });

/** What names a series, its unit and its source. */
export const legalNames = {
  name: legal(1, 128).refine(isNoPrototype, PROTOTYPE),
  attributes: attributesSchema,
  unit: legal(0, 32),
  source: legal(1, 64),
};

const legalSchemaSchema = z.object({
  source: legalNames.source,
  boot: legal(1, 64),
  series: z
    .array(z.object({ name: legalNames.name, attributes: attributesSchema, unit: legalNames.unit }))
    .max(MAX_SERIES_PER_SCHEMA),
});

/** What is wrong with the names in a schema, and where; null: nothing. */
export function schemaFault(schema: Schema): string | null {
  const parsed = legalSchemaSchema.safeParse(schema);
  const issue = parsed.error?.issues[0];
  if (issue !== undefined) return `${issue.path.join('.')}: ${issue.message}`;
  const seen = new Map<string, number>();
  for (const [index, series] of schema.series.entries()) {
    const key = seriesKey(series);
    const first = seen.get(key);
    if (first !== undefined) return `series.${index}: the same as series.${first}, ${key}`;
    seen.set(key, index);
  }
  return null;
}
