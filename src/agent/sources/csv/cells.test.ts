import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { numberAdvice, PLAIN_NUMBERS, parseNumber } from './cells.ts';

describe('numbers of a CSV file', () => {
  it('are bit for bit what Number() reads', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (value) => {
        const text = Object.is(value, -0) ? '-0' : String(value);
        expect(Object.is(parseNumber(text), Number(text))).toBe(true);
      }),
      { numRuns: 5000 },
    );
    for (const text of [
      ' 7 ',
      '1e-320',
      '.5',
      '5.',
      '-0',
      '+3',
      '123456789012345680',
      'Infinity',
      '-Infinity',
    ]) {
      expect(Object.is(parseNumber(text), Number(text))).toBe(true);
    }
  });

  it.each([
    ...[
      '9007199254740993',
      '-9007199254740993',
      '9007199254740993.0',
      '9.007199254740993e15',
      ' 18446744073709551615 ',
    ],
    ...['90071992547409930e-1', '1e400', '-1e999', '1e-400', '4e-324'],
  ])('are not made of `%s`, which would be rounded', (cell) => {
    expect(parseNumber(cell)).toBeUndefined();
    expect(numberAdvice(cell)).toContain('beyond 2^53');
  });

  it.each(['9007199254740992', '1152921504606846976', '1e300', '9007199254740994.0', '5e-324', '0e-400'])(
    'are made of `%s`, which a double holds',
    (cell) => {
      expect(parseNumber(cell)).toBe(Number(cell));
    },
  );

  it('of a decimal comma are not rounded either', () => {
    const comma = { ...PLAIN_NUMBERS, decimal: ',' } as const;
    expect(parseNumber('9007199254740993,0', comma)).toBeUndefined();
    expect(parseNumber('9007199254740994,0', comma)).toBe(9_007_199_254_740_994);
    expect(numberAdvice('9007199254740993,0')).toContain('beyond 2^53');
  });

  it('may be NaN when the file says so', () => {
    expect(parseNumber('NaN')).toBeNaN();
    expect(parseNumber(' nan ')).toBeNaN();
  });

  it.each(['', '  ', 'NA', 'n/a', '#N/A', 'null', '-', '--', '<NA>'])('are missing for `%s`', (cell) => {
    expect(parseNumber(cell)).toBeNull();
  });

  it.each(['0x1F', '-0x1f', '0b1', '0o17', '1_000', '0x20000000000000'])(
    'are decimal, and `%s` is none',
    (cell) => {
      for (const decimal of ['.', ','] as const)
        expect(parseNumber(cell, { ...PLAIN_NUMBERS, decimal })).toBeUndefined();
      expect(numberAdvice(cell)).toContain('decimal numbers');
    },
  );

  it('are told from long other text at once', () => {
    const long = '1'.repeat(200_000);
    for (const text of [`${long}x`, `${long}.${long}x`, `1e${long}x`, `${' '.repeat(200_000)}x`])
      expect(parseNumber(text)).toBeUndefined();
  });

  it.each(['on', '12,5', '1.2.3', '12 kg', '1,234.5', '1e', 'e5', '.', '+', 'ERR'])(
    'are not made of `%s`',
    (cell) => {
      expect(parseNumber(cell)).toBeUndefined();
    },
  );

  it.each([
    ['inf', Number.POSITIVE_INFINITY],
    ['-Inf', Number.NEGATIVE_INFINITY],
    ['+infinity', Number.POSITIVE_INFINITY],
    ['1.#INF', Number.POSITIVE_INFINITY],
    ['-1.#INF00', Number.NEGATIVE_INFINITY],
    ['-1.#IND', Number.NaN],
    ['1.#QNAN', Number.NaN],
    ['-nan(ind)', Number.NaN],
    ['\u22125', -5],
  ])('are also what programs write as `%s`', (cell, value) => {
    expect(parseNumber(cell)).toBe(value);
  });

  it('have a decimal comma when that is said', () => {
    const comma = { ...PLAIN_NUMBERS, decimal: ',' } as const;
    const read = ['12,5', '-0,25', '1,5e3', '7', '12.5', '1.234,5', '1,2,3', '', 'inf'].map((cell) =>
      parseNumber(cell, comma),
    );
    const none = undefined;
    expect(read).toEqual([12.5, -0.25, 1500, 7, none, none, none, null, Number.POSITIVE_INFINITY]);
  });

  it('are missing for words that were named', () => {
    const named = { ...PLAIN_NUMBERS, missing: new Set(['err', 'offline']) };
    expect(['ERR', ' offline ', 'ERROR'].map((cell) => parseNumber(cell, named))).toEqual([
      null,
      null,
      undefined,
    ]);
  });
});
