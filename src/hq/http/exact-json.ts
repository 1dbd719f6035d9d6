/**
 * JSON without silent changes. JSON.parse keeps the last of two members with one name, rounds what a double does not
 * hold, and may take a name with an escape for another. Here the first is an error, the second comes as INEXACT_NUMBER,
 * which no schema takes for a number, so that the field is named that has it, and the third is read right.
 */
import { isInexact } from '../../protocol/exact-number.ts';
import { readValid, surveyText } from '../../protocol/json-text.ts';

/** Stands where a number would have been changed. */
export const INEXACT_NUMBER: unique symbol = Symbol('a number beyond 2^53 that a double does not hold');

/** Said of a field in place of what a number should be like there. */
export const INEXACT =
  'must be a number that a double holds: integers beyond 2^53 would be rounded (send fewer digits, or a larger unit)';

/** Throws DuplicateNameError; SyntaxError for the rest, also for the name `__proto__`. */
export function parseExactJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  const { members, escapedName, oddNumber } = surveyText(text, isInexact);
  if (!escapedName && !oddNumber && countMembers(value) === members) return value;
  const read = readValid(text, { twins: 'refuse', numberOf: exactNumber });
  countMembers(read);
  return read;
}

function exactNumber(source: string): unknown {
  return isInexact(source) ? INEXACT_NUMBER : Number(source);
}

/** Without recursion: a text may nest as deep as it is long. Throws SyntaxError for the name `__proto__`. */
function countMembers(root: unknown): number {
  let members = 0;
  const left: object[] = [];
  const add = (value: unknown) => {
    if (typeof value === 'object' && value !== null) left.push(value);
  };
  add(root);
  for (let value = left.pop(); value !== undefined; value = left.pop()) {
    if (Array.isArray(value)) {
      for (const inner of value) add(inner);
      continue;
    }
    if (Object.hasOwn(value, '__proto__')) throw new SyntaxError('the key __proto__ is not allowed');
    for (const inner of Object.values(value)) {
      members += 1;
      add(inner);
    }
  }
  return members;
}

/** For a schema's `error`: what to say of such a number, or of anything else. */
export function unlessInexact(otherwise: string): (issue: { readonly input: unknown }) => string {
  return ({ input }) => (input === INEXACT_NUMBER ? INEXACT : otherwise);
}
