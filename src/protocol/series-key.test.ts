import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isLegalText, legalText, schemaFault } from './legal-text.ts';
import type { Series } from './sample.ts';
import { nameOfKey, seriesKey } from './series-key.ts';

const series = (name: string, attributes: Series['attributes'] = {}): Series => ({
  name,
  attributes,
  unit: '',
});

/** Short texts of the characters that could be mistaken for one another. */
const awkward = fc.string({ unit: fc.constantFrom('a', 'b', '{', '}', ',', '=', '\\', '@'), maxLength: 5 });
const seriesArb = fc
  .tuple(awkward, fc.dictionary(awkward, awkward, { maxKeys: 3, noNullPrototype: true }))
  .map(([name, attributes]) => series(name, attributes));

describe('the text of a series', () => {
  it('is the bare name without attributes', () => {
    expect(seriesKey(series('system.cpu.utilization'))).toBe('system.cpu.utilization');
  });

  it('sorts attributes by key', () => {
    const attributes = { direction: 'receive', device: 'eth0' };
    expect(seriesKey(series('system.network.io', attributes))).toBe(
      'system.network.io{device=eth0,direction=receive}',
    );
  });

  it('is another one for each of three series that look alike', () => {
    const alike = [series('col', { a: '1,b=2' }), series('col', { a: '1', b: '2' }), series('col{a=1,b=2}')];
    expect(alike.map(seriesKey)).toEqual(['col{a=1\\,b\\=2}', 'col{a=1,b=2}', 'col\\{a\\=1\\,b\\=2\\}']);
    expect(alike.map((one) => nameOfKey(seriesKey(one)))).toEqual(['col', 'col', 'col{a=1,b=2}']);
  });

  it('is never one for two series, and tells the name', () => {
    const content = ({ name, attributes }: Series) =>
      JSON.stringify([name, Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))]);
    fc.assert(
      fc.property(seriesArb, seriesArb, (one, other) => {
        expect(seriesKey(one) === seriesKey(other)).toBe(content(one) === content(other));
        expect(nameOfKey(seriesKey(one))).toBe(one.name);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('legal names', () => {
  const faultOf = (...all: Series[]) => schemaFault({ source: 'sim', boot: 'b', series: all });

  it.each([
    ['half of a surrogate pair', series('a\ud800'), 'series.0.name'],
    ['a control character', series('a\u0000'), 'series.0.name'],
    ['one of C1', series('a\u009b31m'), 'series.0.name'],
    ['an empty name', series(''), 'series.0.name'],
    ['the name of an attribute', series('a', { '\u007f': 'x' }), 'series.0.attributes'],
    ['a value with a line break', series('a', { b: 'x\ny' }), 'series.0.attributes.b'],
    ['a prototype', series('__proto__'), 'series.0.name'],
    ['a unit', { ...series('a'), unit: '\u0085' }, 'series.0.unit'],
  ])('refuse %s, and say where', (_, one, where) => {
    expect(faultOf(one)).toMatch(new RegExp(`^${where}`));
  });

  it('take what people write', () => {
    expect(faultOf(series('Temperatur (°C)', { Ort: 'Höhe=3, {oben}' }), series('気温 🌡'))).toBeNull();
  });

  it('refuse a series that is there twice', () => {
    const one = series('a', { b: '1', c: '2' });
    const same = series('a', { c: '2', b: '1' });
    expect(faultOf(one, series('a'), same)).toBe('series.2: the same as series.0, a{b=1,c=2}');
  });

  it('can be made of any text, within any length', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), fc.nat(40), (text, max) => {
        const legal = legalText(text, max);
        expect(isLegalText(legal)).toBe(true);
        expect(legal.length).toBeLessThanOrEqual(max);
      }),
    );
    expect(legalText('a\tb\ud800', 9)).toBe('a\\x09b\ufffd');
    expect(legalText('🌡'.repeat(3), 3)).toBe('🌡\ufffd');
  });
});
