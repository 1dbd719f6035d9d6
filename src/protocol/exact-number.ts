/**
 * Decimal numbers that a double would change: beyond 2^53, where it no longer has every integer, and closer to 0 than
 * 2^−1022, where it has ever fewer digits and in the end none.
 *
 * One is exact when it stands for the very value of a double, or has the digits that this double is written with: 2^60
 * in full, 1e300, 1.5e308, 5e-324, and the 15 to 17 digits of what prints doubles. 9007199254740993 is neither, however
 * it is written: 9007199254740993.0, 9.007199254740993e15. Nor are 1e-400, which would be 0, and 4e-324.
 */

const LARGEST = 2 ** 53;
/** Of the doubles that have all their digits. */
const SMALLEST = 2 ** -1022;
const NUMBER = /^[-+]?(\d*)\.?(\d*)(?:[eE]([-+]?\d+))?$/;
const ZERO = /^[-+]?[0.]*(?:[eE]|$)/;
/** More digits than that no double needs to be told from all others. */
const MAX_DIGITS = 17;
/** The largest double has 309. */
const MAX_EXACT_DIGITS = 400;

/** Whether a double changes this decimal number. In between only fractions are rounded, and none counts as changed. */
export function isInexact(text: string): boolean {
  const value = Math.abs(Number(text));
  if (value < SMALLEST) return isLostNearZero(text, value);
  if (!(value >= LARGEST)) return false;
  if (value === Number.POSITIVE_INFINITY) return true;
  const written = decimalOf(text);
  if (hasDigitsOf(written, value)) return false;
  const { digits, exponent } = written;
  if (digits.length + exponent > MAX_EXACT_DIGITS) return true;
  // Just below, half of a fraction is enough to round it up to there.
  if (exponent < 0) return BigInt(digits.slice(0, exponent)) >= BigInt(LARGEST);
  return BigInt(digits) * 10n ** BigInt(exponent) !== BigInt(value);
}

function isLostNearZero(text: string, value: number): boolean {
  return value === 0 ? !ZERO.test(text) : !hasDigitsOf(decimalOf(text), value);
}

/** Whether it is what `value` is written as in so many digits. */
function hasDigitsOf(written: Decimal, value: number): boolean {
  const { length } = written.digits;
  return length <= MAX_DIGITS && sameDecimal(written, decimalOf(value.toPrecision(length)));
}

/** `digits × 10^exponent`, without zeros at either end of the digits. */
type Decimal = { readonly digits: string; readonly exponent: number };

function decimalOf(text: string): Decimal {
  const [, whole = '', fraction = '', exponent = '0'] = NUMBER.exec(text) ?? [];
  const all = (whole + fraction).replace(/^0+/, '');
  const digits = trimEndZeros(all);
  return { digits, exponent: Number(exponent) - fraction.length + all.length - digits.length };
}

/** Not by /0+$/, which takes quadratic time for zeros inside. */
function trimEndZeros(text: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === '0') end -= 1;
  return text.slice(0, end);
}

function sameDecimal(a: Decimal, b: Decimal): boolean {
  return a.digits === b.digits && a.exponent === b.exponent;
}
