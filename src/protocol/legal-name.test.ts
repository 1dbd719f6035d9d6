import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { legalName } from './legal-name.ts';
import { isLegalText } from './legal-text.ts';

const named = (texts: readonly string[], max: number) => texts.map((text) => legalName(text, max));

describe('a name out of any text', () => {
  it('is the text, where that is legal and short enough', () => {
    const legal = fc.string({ unit: 'grapheme', maxLength: 20 }).filter(isLegalText);
    fc.assert(
      fc.property(legal, (text) => {
        expect(legalName(text, 256)).toBe(text);
      }),
    );
    expect(legalName('x'.repeat(256), 256)).toBe('x'.repeat(256));
  });

  it('is legal, and no longer than it may be, whatever the text is', () => {
    const max = fc.integer({ min: 10, max: 40 });
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), max, (text, most) => {
        const name = legalName(text, most);
        expect([isLegalText(name), name.length <= most]).toEqual([true, true]);
      }),
    );
  });

  it.each([
    ['that differ beyond its length', [`${'m'.repeat(300)}/a`, `${'m'.repeat(300)}/b`]],
    ['of which one was cut to the other', ['x'.repeat(257), 'x'.repeat(256)]],
    ['with halves of pairs', ['a\ud800', 'a\ud801', 'a\ufffd']],
    ['with what stands for a control character', ['a\tb', 'a\\x09b']],
    ['of which one would be a prototype', ['__proto__', '_proto_']],
  ])('is another one for texts %s', (_which, texts) => {
    expect(new Set(named(texts, 256)).size).toBe(texts.length);
    expect(named(texts, 256).every((name) => isLegalText(name) && name !== '__proto__')).toBe(true);
  });

  it('is the same for the same text', () => {
    expect(legalName('a\tb', 64)).toBe('a\\x09b~7cea7e96');
  });
});
