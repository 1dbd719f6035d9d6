/** The one way in which numbers stand in JSON that Holdfast writes: answers of HQ, and exports of a journal. */
import { z } from 'zod';

/** JSON has no NaN and no infinities, and −0 is lost in JavaScript's: they are written as these strings. */
export const exactNumberSchema = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity', '-0'])]);
export type ExactNumber = z.infer<typeof exactNumberSchema>;

/** Null: there is none. */
export const jsonNumberSchema = exactNumberSchema.nullable();

export function jsonNumber(value: number): ExactNumber {
  if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : value;
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}
