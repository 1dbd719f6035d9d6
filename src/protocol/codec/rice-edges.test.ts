/** Columns at the edges of their encodings, written by hand as docs/protocol.md has them. */
import { describe, expect, it } from 'vitest';
import { FrameError } from '../frame.ts';
import { checkColumn, readColumn } from './column.ts';

const MAX = Number.MAX_SAFE_INTEGER;

function read(mode: number, rows: number, bytes: readonly number[]): number[] {
  const all = Uint8Array.from(bytes);
  const [values, present] = [new Float64Array(rows), new Uint8Array(rows)];
  checkColumn(all, 0, all.length, mode, rows);
  readColumn(all, 0, all.length, mode, rows, values, present);
  return [...values];
}
const MAX_SIGNED = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f];

describe('columns at the edges of their encodings', () => {
  it.each([
    [
      'order 1 of one value: a drift that nothing uses, and a byte that begins no codes',
      0x30,
      [10, 2, 0],
      [5],
    ],
    ['the same with runs', 0x30, [10, 2, 64, 0], [5]],
    ['order 2 of two values: no codes', 0x40, [10, 2, 0], [5, 6]],
    ['order 2 of two values with runs', 0x40, [10, 2, 64, 53], [5, 6]],
    ['order 0 of one value: one code', 0x20, [10, 0, 1], [5]],
    ['a run that reaches the end', 0x20, [10, 64, 0, 0x04], [5, 5]],
    ['a run of none before a code, and none at the end', 0x20, [10, 64, 0, 0x03], [4]],
    ['k of 53', 0x20, [0, 53, 0x03, 0, 0, 0, 0, 0, 0], [-1]],
    ['a constant of 2^53 − 1', 0x00, [...MAX_SIGNED.slice(0, 7), 0x1f], [MAX, MAX]],
  ])('%s', (_, mode, bytes, values) => {
    expect(read(mode, values.length, bytes)).toEqual(values);
  });

  it('an integer written in full: 24 zero bits, a one, and 54 bits', () => {
    const bits = `${'0'.repeat(24)}1${[...(41).toString(2).padStart(54, '0')].reverse().join('')}`;
    const bytes = Array.from({ length: Math.ceil(bits.length / 8) }, (_, at) =>
      Number.parseInt([...bits.slice(8 * at, 8 * at + 8)].reverse().join(''), 2),
    );
    expect(read(0x20, 1, [0, 0, ...bytes])).toEqual([-21]);
  });

  it.each([
    ['order 2 of one value', 0x40, 1, [10, 2, 0]],
    ['codes that never begin', 0x30, 1, [10, 2]],
    ['padding of one bits', 0x30, 1, [10, 2, 0, 1]],
    ['runs of no codes without their k', 0x30, 1, [10, 2, 64]],
  ])('refuses %s', (_, mode, rows, bytes) => {
    expect(() => read(mode, rows, bytes)).toThrow(FrameError);
  });
});
