/**
 * Numbers beyond 2^53, where a double no longer has every integer.
 *
 * One is exact when it stands for the very value of a double, or has the digits that this double is written with: 2^60
 * in full, 1e300, 1.5e308, and the 15 to 17 digits of what prints doubles. 9007199254740993 is neither, however it is
 * written: 9007199254740993.0, 9.007199254740993e15.
 */

const LARGEST = 2 ** 53;
const HEX = /^0[xob][\da-f]+$/i;
const NUMBER = /^[-+]?(\d*)\.?(\d*)(?:[eE]([-+]?\d+))?$/;
/** More digits than that no double needs to be told from all others. */
const MAX_DIGITS = 17;
/** The largest double has 309. */
const MAX_EXACT_DIGITS = 400;

/** Whether a double changes this decimal number, and it lies beyond ±2^53: below only fractions are rounded. */
export function isInexact(text: string): boolean {
  const value = Math.abs(Number(text));
  if (!(value >= LARGEST)) return false;
  if (value === Number.POSITIVE_INFINITY) return true;
  // Such as 0x20000000000001, which Number() reads.
  if (!NUMBER.test(text)) return !HEX.test(text) || BigInt(text) !== BigInt(value);
  const written = decimalOf(text);
  if (written.digits.length <= MAX_DIGITS) {
    if (sameDecimal(written, decimalOf(value.toPrecision(written.digits.length)))) return false;
  }
  const { digits, exponent } = written;
  if (digits.length + exponent > MAX_EXACT_DIGITS) return true;
  // Just below, half of a fraction is enough to round it up to there.
  if (exponent < 0) return BigInt(digits.slice(0, exponent)) >= BigInt(LARGEST);
  return BigInt(digits) * 10n ** BigInt(exponent) !== BigInt(value);
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
