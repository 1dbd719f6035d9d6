import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseNumber, parseTime, timeFormOf } from './cells.ts';

describe('numbers of a CSV file', () => {
  it('are bit for bit what Number() reads', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (value) => {
        const text = Object.is(value, -0) ? '-0' : String(value);
        expect(Object.is(parseNumber(text), Number(text))).toBe(true);
      }),
      { numRuns: 5000 },
    );
    for (const text of [' 7 ', '1e-320', '0x1F', '-0', '+3', '123456789012345678', 'Infinity', '-Infinity']) {
      expect(Object.is(parseNumber(text), Number(text))).toBe(true);
    }
  });

  it('may be NaN when the file says so', () => {
    expect(parseNumber('NaN')).toBeNaN();
    expect(parseNumber(' nan ')).toBeNaN();
  });

  it.each(['', '  ', 'NA', 'n/a', 'null', '-'])('are missing for `%s`', (cell) => {
    expect(parseNumber(cell)).toBeNull();
  });

  it.each(['on', '12,5', '1.2.3', '12 kg'])('are not made of `%s`', (cell) => {
    expect(parseNumber(cell)).toBeUndefined();
  });
});

describe('times of a CSV file', () => {
  it.each([
    ['1700000000', 's', 1_700_000_000_000],
    ['1700000000.25', 's', 1_700_000_000_250],
    ['1700000000123', 'ms', 1_700_000_000_123],
    ['1700000000123456', 'us', 1_700_000_000_123],
    ['1700000000123456789', 'ns', 1_700_000_000_123],
    ['2023-11-14T22:13:20Z', 'text', 1_700_000_000_000],
    ['2023-11-14T23:13:20+01:00', 'text', 1_700_000_000_000],
    ['2023-11-14 22:13:20', 'text', 1_700_000_000_000],
    ['2023-11-14 22:13:20,5', 'text', 1_700_000_000_500],
    ['0', 's', 0],
  ] as const)('%s is read as %s', (cell, form, ms) => {
    expect(timeFormOf(cell)).toBe(form);
    expect(parseTime(cell, form)).toBe(ms);
  });

  it.each(['', 'soon', 'Infinity'])('`%s` is none', (cell) => {
    expect(timeFormOf(cell)).toBeNull();
    expect(parseTime(cell, 'text')).toBeNull();
    expect(parseTime(cell, 's')).toBeNull();
  });

  it('are refused beyond what a date can hold', () => {
    expect(parseTime('9e15', 'ms')).toBeNull();
  });
});
