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

it.each([
  [z.number(), Number.POSITIVE_INFINITY, 'must be a number, not Infinity'],
  [z.number(), true, 'expected a number, got true or false'],
  [z.number(), [1], 'expected a number, got a list'],
  [z.string(), 5, 'expected a text, got a number; put it in quotes'],
  [z.string(), { a: 1 }, 'expected a text, got a map'],
  [z.string(), null, 'expected a text, got nothing'],
  [z.array(z.string()), { a: 1 }, 'expected a list, got a map'],
  [z.boolean(), 'yes', 'expected true or false, got a text'],
])('says what is expected instead of another type', (schema, value, message) => {
  expect(messageOf(schema, value)).toBe(message);
});

const WORDS = z.enum(['polling', 'auto']);

it.each([
  [WORDS, 'foo', 'expected one of "polling"|"auto", got "foo"'],
  [WORDS, 'poling', 'expected one of "polling"|"auto", got "poling"; did you mean "polling"?'],
  [WORDS, ['auto'], 'expected one of "polling"|"auto", got a list'],
  [WORDS, 'x'.repeat(1_000), `expected one of "polling"|"auto", got "${'x'.repeat(80)}…"`],
])('says which words there are', (schema, value, message) => {
  expect(messageOf(schema, value)).toBe(message);
});

it.each([
  [z.array(z.string()).min(1), [], 'expected at least one, got none'],
  [z.array(z.string()).max(2), ['a', 'b', 'c'], 'expected at most 2, got 3'],
  [z.string().min(1), '', 'must not be empty'],
  [z.string().min(3), 'ab', 'expected at least 3 characters, got 2'],
])('says how many', (schema, value, message) => {
  expect(messageOf(schema, value)).toBe(message);
});

it.each([
  [z.string(), undefined, 'is missing'],
  [WORDS, undefined, 'is missing'],
  [z.strictObject({ a: z.number() }), { a: 1, b: 2, c: 3 }, 'has no "b", "c"'],
  [z.union([z.string(), z.number()]), true, 'has none of the forms that it may have; it is true or false'],
  [z.number().multipleOf(5), 7, 'must be a multiple of 5, not 7'],
  [z.url(), 'x', 'does not look like an address such as https://hq.example:8000'],
  [z.string().regex(/^a$/), 'b', 'does not look like what is expected here'],
  [z.record(z.string(), z.number()), 'x', 'expected a map, got a text'],
  [z.never(), 'x', 'cannot be a text'],
  [z.custom((value) => value === 1), 'x', 'cannot be used as it is: a text'],
])('has words for everything else', (schema, value, message) => {
  expect(messageOf(schema, value)).toBe(message);
});

it("leaves a schema's own words alone", () => {
  expect(messageOf(z.number({ error: 'a duration' }).min(1), 'x')).toBe('a duration');
  expect(messageOf(z.string().regex(/^a$/, 'must be a'), 'b')).toBe('must be a');
});
