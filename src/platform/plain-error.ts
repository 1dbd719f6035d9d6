/** Messages of zod for people who set something: what is allowed, and what was given. */
import type { z } from 'zod';
import { nearestName } from './nearest.ts';

const MAX_SHOWN = 80;

/**
 * Give it to `parse` as `error`; what it does not know keeps zod's own message. Texts are shown only where they should
 * be one of a few words.
 */
export function plainError(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_value') return ofWords(issue.values, issue.input);
  if (typeof issue.input === 'number') {
    const text = ofNumber(issue, issue.input);
    if (text !== undefined) return text;
  }
  switch (issue.code) {
    case 'invalid_type':
      return ofType(issue.expected, issue.input);
    case 'too_small':
      return ofLength('at least', issue.minimum, issue.input);
    case 'too_big':
      return ofLength('at most', issue.maximum, issue.input);
    default:
      return undefined;
  }
}

/** What `value` is, for people who write YAML. */
export function kindOf(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  switch (typeof value) {
    case 'string':
      return 'a text';
    case 'number':
      return 'a number';
    case 'boolean':
      return 'true or false';
    default:
      return 'a map';
  }
}

/** `value` in quotes, in one short line; only for what cannot be secret. */
export function shown(value: string): string {
  return JSON.stringify(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value);
}

function ofNumber(issue: z.core.$ZodRawIssue, input: number): string | undefined {
  const given = `not ${input}`;
  switch (issue.code) {
    case 'too_small':
      return `must be ${issue.inclusive === false ? 'above' : 'at least'} ${issue.minimum}, ${given}`;
    case 'too_big':
      return `must be ${issue.inclusive === false ? 'below' : 'at most'} ${issue.maximum}, ${given}`;
    case 'invalid_type':
      if (issue.expected === 'int') return `must be a whole number, ${given}`;
      return issue.expected === 'number' ? `must be a number, ${given}` : undefined;
    default:
      return undefined;
  }
}

const TYPES: ReadonlyMap<string, string> = new Map([
  ['string', 'a text'],
  ['number', 'a number'],
  ['int', 'a whole number'],
  ['boolean', 'true or false'],
  ['array', 'a list'],
  ['object', 'a map'],
]);

function ofType(expected: string, input: unknown): string | undefined {
  const wanted = TYPES.get(expected);
  if (wanted === undefined || input === undefined) return undefined;
  const isScalar = expected === 'string' && (typeof input === 'number' || typeof input === 'boolean');
  return `expected ${wanted}, got ${kindOf(input)}${isScalar ? '; put it in quotes' : ''}`;
}

function ofWords(values: readonly unknown[], input: unknown): string | undefined {
  if (input === undefined) return undefined;
  const words = values.map(String);
  const given = typeof input === 'string' ? shown(input) : kindOf(input);
  const nearest = typeof input === 'string' ? nearestName(input, words) : null;
  const hint = nearest === null ? '' : `; did you mean "${nearest}"?`;
  return `expected one of ${words.map((word) => `"${word}"`).join('|')}, got ${given}${hint}`;
}

function ofLength(bound: string, count: number | bigint, input: unknown): string | undefined {
  if (input === '') return 'must not be empty';
  if (Array.isArray(input)) {
    const given = input.length === 0 ? 'none' : input.length;
    return `expected ${bound} ${count === 1 ? 'one' : count}, got ${given}`;
  }
  return typeof input === 'string' ? `expected ${bound} ${count} characters, got ${input.length}` : undefined;
}
