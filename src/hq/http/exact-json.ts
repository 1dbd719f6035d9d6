/**
 * JSON without silent changes. JSON.parse keeps the last of two members with one name, rounds what a double does not
 * hold, and may take a name with an escape for another. Here the first is an error, the second comes as one of
 * INEXACT_NUMBERS, which no schema takes for a number, so that the field is named that has it, and the third is read
 * right.
 */
import { isInexact } from '../../protocol/exact-number.ts';
import { readValid, surveyText } from '../../protocol/json-text.ts';

/** Stand where a number would have been changed. */
export const INEXACT_NUMBERS = {
  rounded: Symbol('an integer beyond 2^53 that a double does not hold'),
  infinite: Symbol('a number beyond all doubles'),
  nearZero: Symbol('a number too close to 0 for a double'),
} as const;

/** What is said of their fields in place of what a number should be like there. */
const ADVICE: ReadonlyMap<unknown, string> = new Map([
  [INEXACT_NUMBERS.rounded, 'integers beyond 2^53 would be rounded (send fewer digits, or a larger unit)'],
  [INEXACT_NUMBERS.infinite, 'there is none beyond 1.797e308 (send a larger unit)'],
  [
    INEXACT_NUMBERS.nearZero,
    'this one, closer to 0 than 2.2e-308, would be changed (send 0, or a smaller unit)',
  ],
]);

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
  const value = Number(source);
  if (!isInexact(source)) return value;
  if (!Number.isFinite(value)) return INEXACT_NUMBERS.infinite;
  return Math.abs(value) < 1 ? INEXACT_NUMBERS.nearZero : INEXACT_NUMBERS.rounded;
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

/** For a schema's `error`: what to say of such a number, or of anything else; undefined: what the schema says. */
export function unlessInexact<T extends string | undefined>(
  otherwise: T,
): (issue: { readonly input: unknown }) => string | T {
  return ({ input }) => {
    const advice = ADVICE.get(input);
    return advice === undefined ? otherwise : `must be a number that a double holds: ${advice}`;
  };
}
