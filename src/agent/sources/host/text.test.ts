import { describe, expect, it } from 'vitest';
import { numberAfter, numbersIn } from './text.ts';

describe('numbers out of text of the kernel', () => {
  it('stand behind a label at the start of a line only', () => {
    const text = 'SwapCached: 5 kB\nCached:   1234 kB\nbad:\nlast 18446744073709551616';
    expect(numberAfter(text, 'Cached:')).toBe(1234);
    expect(numberAfter(text, 'SwapCached:')).toBe(5);
    expect(numberAfter(text, 'last ')).toBe(2 ** 64);
    expect(numberAfter(text, 'Swap')).toBeUndefined();
    expect(numberAfter(text, 'none')).toBeUndefined();
  });

  it('are never those of another line', () => {
    expect(numberAfter('bad:\n7\n', 'bad:')).toBeUndefined();
  });

  it('stand between any number of blanks', () => {
    expect(numbersIn('  1   2\t3 ')).toEqual([1, 2, 3]);
  });
});
