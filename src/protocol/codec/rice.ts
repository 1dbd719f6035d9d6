/**
 * Rice codes: small non-negative integers in few bits.
 *
 * With parameter k the integer z is `floor(z / 2^k)` zero bits, a one bit, and the k low bits of z. From 24 zero bits
 * on it is instead exactly 24 zero bits, a one bit, and z in 54 bits. Bits fill bytes from the lowest up; numbers are
 * written lowest bit first; the last byte is padded with zeros. With runs, what is written is how many zeros come
 * before the next other integer (parameter of its own), then that integer less one, and so on to the end.
 */
/** Zero bits that mark an integer written in full. */
export const ESCAPE = 24;
export const FULL_BITS = 54;
export const FULL_PART = 18;
/** Codes of up to this many bits fit into the 32 bits that are at hand. */
export const MAX_SHORT = 24;
export const RUNS = 0x40;
export const MAX_PARAMETER = 53;
