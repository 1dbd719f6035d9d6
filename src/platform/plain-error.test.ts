import { expect, it } from 'vitest';
import { z } from 'zod';
import { plainError } from './plain-error.ts';

const messageOf = (schema: z.ZodType, value: unknown) =>
  schema.safeParse(value, { error: plainError }).error?.issues[0]?.message;

it.each([
  [z.number().min(0), -1, 'must be at least 0, not -1'],
  [z.number().max(65_535), 99_999, 'must be at most 65535, not 99999'],
  [z.number().positive(), 0, 'must be above 0, not 0'],
  [z.number().lt(5), 5, 'must be below 5, not 5'],
  [z.number().int(), 1.5, 'must be a whole number, not 1.5'],
  [z.object({ a: z.object({ b: z.number().int().min(2) }) }), { a: { b: 1 } }, 'must be at least 2, not 1'],
])('says what a number must be', (schema, value, message) => {
  expect(messageOf(schema, value)).toBe(message);
});

it('leaves everything else to zod, and to the schema', () => {
  expect(messageOf(z.string(), 1)).toBe(z.string().safeParse(1).error?.issues[0]?.message);
  expect(messageOf(z.number({ error: 'a duration' }).min(1), 'x')).toBe('a duration');
  expect(messageOf(z.string().min(2), 'x')).toBe(z.string().min(2).safeParse('x').error?.issues[0]?.message);
});
