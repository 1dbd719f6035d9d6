import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExactJson } from './exact-json.ts';

describe('JSON without silent changes', () => {
  it.each([
    ['9007199254740992', 2 ** 53],
    ['-9007199254740992', -(2 ** 53)],
    ['9007199254740993', 9_007_199_254_740_993n],
    ['-18446744073709551615', -18_446_744_073_709_551_615n],
    ['0.30000000000000004', 0.30000000000000004],
    ['1234567890123456.5', 1234567890123456.5],
    ['12345678901234567890e-5', 123456789012345.67],
    ['1e20', 1e20],
    ['-0', -0],
  ])('reads %s as %s', (text, value) => {
    expect(parseExactJson(text)).toBe(value);
    expect(parseExactJson(`{"a":[${text}]}`)).toEqual({ a: [value] });
    expect(parseExactJson(`[1,${text},2]`)).toEqual([1, value, 2]);
  });

  it('leaves digits in texts alone', () => {
    const value = { id: '12345678901234567890', n: [1] };
    expect(parseExactJson(JSON.stringify(value))).toEqual(value);
  });

  it.each(['{"__proto__":1}', '{"\\u005f_proto__":1}', '[{"a":{"__proto__":{}}}]'])('refuses %s', (text) => {
    expect(() => parseExactJson(text)).toThrow(SyntaxError);
  });

  it('reads everything else as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        fc.pre(!text.includes('__proto__') && !/\d{16}/.test(text));
        expect(parseExactJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });
});
