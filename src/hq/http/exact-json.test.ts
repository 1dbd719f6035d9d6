import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DuplicateNameError } from '../../protocol/json-text.ts';
import { INEXACT_NUMBERS, parseExactJson } from './exact-json.ts';

describe('JSON without silent changes', () => {
  it.each([
    ['9007199254740992', 2 ** 53],
    ['-9007199254740992', -(2 ** 53)],
    ['1152921504606846976', 2 ** 60],
    ['9223372036854775808', 2 ** 63],
    ['590295810358705651712', 2 ** 69],
    ['590295810358705700000', 2 ** 69],
    ['5.9029581035870565e+20', 2 ** 69],
    ['9007199254740994.0', 2 ** 53 + 2],
    ['0.30000000000000004', 0.30000000000000004],
    ['1234567890123456.5', 1234567890123456.5],
    ['9007199254740991.9', 2 ** 53],
    ['12345678901234567890e-5', 123456789012345.67],
    ['1e20', 1e20],
    ['1e23', 1e23],
    ['1e300', 1e300],
    ['1.5E308', 1.5e308],
    ['1.7976931348623157e308', Number.MAX_VALUE],
    [`1${'0'.repeat(300)}`, 1e300],
    ['0e999999999', 0],
    [`0.${'0'.repeat(400)}e-5`, 0],
    ['5e-324', 5e-324],
    ['4.9406564584124654e-324', 5e-324],
    ['1e-320', 1e-320],
    ['2.2250738585072014e-308', 2 ** -1022],
    ['1e-307', 1e-307],
    ['-0', -0],
    ['-0.0e5', -0],
  ])('reads %s as %s', (text, value) => {
    expect(parseExactJson(text)).toBe(value);
    expect(parseExactJson(`{"a":[${text}]}`)).toEqual({ a: [value] });
    expect(parseExactJson(`[1,${text},2]`)).toEqual([1, value, 2]);
  });

  it.each([
    '9007199254740993',
    '-9007199254740993',
    '9007199254740993.0',
    '9007199254740993e0',
    '9.007199254740993e15',
    '9.007199254740993E+15',
    '90071992547409930e-1',
    '0.0000009007199254740993e22',
    '9007199254740992.5',
    '90071992547409930',
    '9223372036854775807',
    '18446744073709551615',
    '1.8446744073709551615e19',
    `1${'0'.repeat(30)}1`,
  ])('marks %s, which a double would round', (text) => {
    expect(parseExactJson(text)).toBe(INEXACT_NUMBERS.rounded);
    expect(parseExactJson(` { "a" : [ ${text} ] } `)).toEqual({ a: [INEXACT_NUMBERS.rounded] });
  });

  it.each([
    ['1e400', 'infinite'],
    ['-1e999999999', 'infinite'],
    ['1.8e308', 'infinite'],
    ['1e-400', 'nearZero'],
    ['-1e-400', 'nearZero'],
    [`0.${'0'.repeat(400)}1`, 'nearZero'],
    ['2e-324', 'nearZero'],
    ['4e-324', 'nearZero'],
    ['5.1e-324', 'nearZero'],
    ['1.23456789e-320', 'nearZero'],
  ] as const)('marks %s, which no double is near: %s', (text, as) => {
    expect(parseExactJson(text)).toBe(INEXACT_NUMBERS[as]);
    expect(parseExactJson(` { "a" : [ ${text} ] } `)).toEqual({ a: [INEXACT_NUMBERS[as]] });
  });

  it('takes every double as JavaScript and C print it', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const texts = [value.toString(), value.toExponential(), value.toPrecision(17)];
        if (Math.abs(value) > 2 ** 53) texts.push(BigInt(value).toString());
        for (const text of texts) expect(parseExactJson(text)).toBe(Number(text));
      }),
    );
  });

  it('takes an integer in whatever form as itself, or marks it', () => {
    const integer = fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n });
    fc.assert(
      fc.property(integer, fc.integer({ min: 0, max: 5 }), (one, places) => {
        fc.pre(one !== 0n);
        const forms = [
          `${one}`,
          `${one}.${'0'.repeat(places + 1)}`,
          `${one}${'0'.repeat(places)}e-${places}`,
        ];
        const read = forms.map(parseExactJson);
        expect(new Set(read).size).toBe(1);
        const [value] = read;
        if (typeof value === 'number' && one % 10n !== 0n) expect(BigInt(value)).toBe(one);
      }),
    );
  });

  it('leaves digits in texts alone', () => {
    const value = { id: '12345678901234567890', n: [1], '9007199254740993': '9e99 "quoted": {"a":1' };
    expect(parseExactJson(JSON.stringify(value))).toEqual(value);
  });

  it.each(['{"__proto__":1}', '{"\\u005f_proto__":1}', '[{"a":{"__proto__":{}}}]'])('refuses %s', (text) => {
    expect(() => parseExactJson(text)).toThrow(SyntaxError);
  });

  it('reads names with escapes as they are written, whatever came before', () => {
    const names = ['"', '\\', '\n', 'a', '\u00b0', 'a"', 'a\\', '\\u'];
    const escaped = (name: string) =>
      name.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
    const chosen = fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(chosen, fc.boolean(), (some, short) => {
        const members = some.map(
          (name, at) => `${short ? JSON.stringify(name) : `"${escaped(name)}"`}:${at}`,
        );
        const read = parseExactJson(`{${members.join(',')}}`);
        expect(read).toEqual(Object.fromEntries(some.map((name, at) => [name, at])));
      }),
      { numRuns: 1000 },
    );
  });

  it('reads everything else as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), (text) => {
        fc.pre(!text.includes('__proto__'));
        const value = parseExactJson(text);
        expect(value).toEqual(JSON.parse(text));
      }),
    );
  });
});

const pathOfDuplicate = (text: string) => {
  try {
    parseExactJson(text);
  } catch (error) {
    if (error instanceof DuplicateNameError) return error.path;
    throw error;
  }
  return null;
};

describe('members of one name', () => {
  it.each([
    ['{"a":1,"a":2}', ['a']],
    ['{"a":1,"a":1}', ['a']],
    ['{"a":1,"\\u0061":2}', ['a']],
    ['{ "a\\n" : 1 , "b":{"a\\n":1}, "a\\u000a" : [] }', ['a\n']],
    ['{"":1,"":2}', ['']],
    ['[1,[{"x":{"a":[],"b":"\\"","b":{}}}]]', [1, 0, 'x', 'b']],
    ['[{"a":1},{"a":1,"c":{"a":{"d":[0,0,{"e":1,"f":2,"e":3}]}}}]', [1, 'c', 'a', 'd', 2, 'e']],
    ['{"a":{"x":1,"x":2},"a":3}', ['a', 'x']],
    ['{"__proto__":1,"__proto__":2,"b":3}', ['__proto__']],
  ])('in %s are told by their place', (text, path) => {
    if (text.includes('__proto__')) expect(() => parseExactJson(text)).toThrow(SyntaxError);
    else expect(pathOfDuplicate(text)).toEqual(path);
  });

  it.each(['{"a":{"a":{"a":1}}}', '[{"a":1},{"a":1}]', '{"a":"a","b":"a\\":","c":[":"]}', '{}', '":"'])(
    'are not seen in %s',
    (text) => {
      expect(pathOfDuplicate(text)).toBeNull();
    },
  );

  it('are found wherever one is added to any JSON', () => {
    const names = fc.constantFrom('a', 'b', ':', '"', '\\', '{', '1e5');
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        fc.constant(null),
        fc.double(),
        fc.string(),
        tie('list'),
        tie('object'),
      ),
      list: fc.array(tie('tree'), { maxLength: 4 }),
      object: fc.array(fc.tuple(names, tie('tree')), { maxLength: 4 }).map((members) => new Written(members)),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        const text = write(value);
        expect(pathOfDuplicate(text) !== null).toBe(hasTwins(value));
      }),
      { numRuns: 500 },
    );
  });

  it('are looked for in any depth', () => {
    const depth = 100_000;
    expect(pathOfDuplicate(`${'['.repeat(depth)}${']'.repeat(depth)}`)).toBeNull();
    const inner = '{"a":1,"a":2}';
    expect(pathOfDuplicate(`${'['.repeat(depth)}${inner}${']'.repeat(depth)}`)?.length).toBe(depth + 1);
  });
});

/** An object as written, in which names may stand twice. */
class Written {
  readonly members: readonly (readonly [string, unknown])[];
  constructor(members: readonly (readonly [string, unknown])[]) {
    this.members = members;
  }
}

function write(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(write).join(' , ')}]`;
  if (!(value instanceof Written)) return JSON.stringify(value);
  return `{${value.members.map(([name, inner]) => `${JSON.stringify(name)} :${write(inner)}`).join(',')}}`;
}

function hasTwins(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasTwins);
  if (!(value instanceof Written)) return false;
  const names = value.members.map(([name]) => name);
  return new Set(names).size < names.length || value.members.some(([, inner]) => hasTwins(inner));
}
