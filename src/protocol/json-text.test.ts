import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJsonText, readValid } from './json-text.ts';

describe('reading JSON', () => {
  it('knows a name with an escape when one of the same shape came before, which JSON.parse may not', () => {
    expect(parseJsonText('{"h":[],"\\\\":0}')).toEqual({ h: [], '\\': 0 });
    expect(parseJsonText('{"h":1,"\\"":2}')).toEqual({ h: 1, '"': 2 });
    expect(parseJsonText('{"h":1,"\\u00b0":2}')).toEqual({ h: 1, '\u00b0': 2 });
  });

  it('keeps the last of two members, as JSON.parse does', () => {
    expect(parseJsonText('{"\\n":1,"a":2,"\\u000a":3}')).toEqual({ '\n': 3, a: 2 });
  });

  it('reads every value by itself as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(3), (text, spaces) => {
        const value = JSON.parse(text);
        const spaced = JSON.stringify(value, null, spaces);
        expect(readValid(spaced, { twins: 'refuse' })).toEqual(JSON.parse(spaced));
        expect(parseJsonText(text)).toEqual(value);
      }),
    );
  });

  it.each(['', '{', '{"a\\"":1', 'nul'])('fails at %s as JSON.parse does', (text) => {
    expect(() => parseJsonText(text)).toThrow(SyntaxError);
  });
});
