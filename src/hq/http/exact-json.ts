/**
 * JSON without silent changes: integers that a double cannot tell from their neighbours come as a bigint, which no
 * schema takes for a number, so that the field is named that has it; JSON.parse rounds them.
 */

/** Every integer up to here has a double of its own. */
const LARGEST = 2n ** 53n;
/** So many digits or more, with neither a fraction nor an exponent: it may be beyond. */
const LONG_INTEGER = /(?<![\d.eE+])\d{16,}(?![\d.eE])/;
const INTEGER = /^-?\d+$/;

/** Said of a field in place of what a number should be like there. */
export const INEXACT = 'must be an integer of at most 2^53 either way: larger ones would be rounded';

type Source = { readonly source?: string };

/** Throws SyntaxError, also for the key `__proto__`. */
export function parseExactJson(text: string): unknown {
  // A reviver makes parsing several times slower; it is needed only where there can be something for it.
  const mayHavePrototype = text.includes('__proto__') || text.includes('\\u');
  return mayHavePrototype || LONG_INTEGER.test(text) ? JSON.parse(text, revive) : JSON.parse(text);
}

function revive(key: string, value: unknown, { source }: Source = {}): unknown {
  if (key === '__proto__') throw new SyntaxError('the key __proto__ is not allowed');
  if (typeof value !== 'number' || source === undefined || !INTEGER.test(source)) return value;
  if (Number.isSafeInteger(value)) return value;
  const integer = BigInt(source);
  return integer > LARGEST || integer < -LARGEST ? integer : value;
}

/** For a schema's `error`: what to say of such an integer, or of anything else. */
export function unlessInexact(otherwise: string): (issue: { readonly input: unknown }) => string {
  return ({ input }) => (typeof input === 'bigint' ? INEXACT : otherwise);
}
