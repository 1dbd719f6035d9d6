/** Messages of zod for people who set or send something: what is allowed, and what was given. */
import { z } from 'zod';
import { nearestName } from './nearest.ts';

const MAX_SHOWN = 80;

/**
 * Give it to `parse` as `error`: it has words for every fault, and a schema's own come before them. Texts are shown
 * only where they should be one of a few words.
 */
export function plainError(issue: z.core.$ZodRawIssue): string {
  const { input } = issue;
  if (input === undefined) return 'is missing';
  const ofCount = typeof input === 'number' ? ofNumber(issue, input) : undefined;
  if (ofCount !== undefined) return ofCount;
  switch (issue.code) {
    case 'invalid_value':
      return ofWords(issue.values, input);
    case 'invalid_type':
      return ofType(issue.expected, input);
    case 'too_small':
      return ofLength('at least', issue.minimum, input);
    case 'too_big':
      return ofLength('at most', issue.maximum, input);
    case 'unrecognized_keys':
      return `has no ${issue.keys.map((key) => shown(key)).join(', ')}`;
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'invalid_format':
      return `does not look like ${NAMED_FORMATS.get(issue.format) ?? 'what is expected here'}`;
    case 'invalid_union':
      return `has none of the forms that it may have; it is ${kindOf(input)}`;
    default:
      return `cannot be used as it is: ${kindOf(input)}`;
  }
}

/** From here on every schema of this process speaks so, where it has no words of its own. */
export function speakPlainly(): void {
  z.config({ customError: plainError });
}

/** All faults with their places in one line of at most `most` characters. */
export function problemsOf({ issues }: z.ZodError, most: number): string {
  const texts = issues.map(({ path, message }) =>
    path.length === 0 ? message : `${z.core.toDotPath(path)}: ${message}`,
  );
  return texts.join('; ').slice(0, most);
}

const NAMED_FORMATS: ReadonlyMap<string, string> = new Map([
  ['url', 'an address such as https://hq.example:8000'],
  ['email', 'an e-mail address'],
  ['datetime', 'a time such as 2026-01-31T12:00:00Z'],
  ['date', 'a date such as 2026-01-31'],
  ['ipv4', 'an IPv4 address'],
  ['ipv6', 'an IPv6 address'],
  ['uuid', 'a UUID'],
]);

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
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}, ${given}`;
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
  ['record', 'a map'],
]);

function ofType(expected: string, input: unknown): string {
  const wanted = TYPES.get(expected);
  if (wanted === undefined) return `cannot be ${kindOf(input)}`;
  const isScalar = expected === 'string' && (typeof input === 'number' || typeof input === 'boolean');
  return `expected ${wanted}, got ${kindOf(input)}${isScalar ? '; put it in quotes' : ''}`;
}

function ofWords(values: readonly unknown[], input: unknown): string {
  const words = values.map(String);
  const given = typeof input === 'string' ? shown(input) : kindOf(input);
  const nearest = typeof input === 'string' ? nearestName(input, words) : null;
  const hint = nearest === null ? '' : `; did you mean "${nearest}"?`;
  return `expected one of ${words.map((word) => `"${word}"`).join('|')}, got ${given}${hint}`;
}

function ofLength(bound: string, count: number | bigint, input: unknown): string {
  if (input === '') return 'must not be empty';
  if (Array.isArray(input)) {
    const given = input.length === 0 ? 'none' : input.length;
    return `expected ${bound} ${count === 1 ? 'one' : count}, got ${given}`;
  }
  if (typeof input === 'string') return `expected ${bound} ${count} characters, got ${input.length}`;
  return `must be ${bound} ${count}`;
}
