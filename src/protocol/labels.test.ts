import { describe, expect, it } from 'vitest';
import { helloSchema } from './events.ts';
import { effectiveLabels, labelsSchema, MAX_LABELS, sameLabels, setLabelsSchema } from './labels.ts';

const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`l${at}`, 'x']));

describe('labels', () => {
  it.each([
    ['an ordinary one', { site: 'nord' }, true],
    ['none', {}, true],
    ['a value with a colon and blanks', { site: 'nord: 2 b' }, true],
    ['a name of 63', { [`a${'b'.repeat(62)}`]: 'x' }, true],
    ['a name of 64', { [`a${'b'.repeat(63)}`]: 'x' }, false],
    ['a name that begins with a digit', { '1st': 'x' }, false],
    ['a name with a colon, which ends it in a filter', { 'a:b': 'x' }, false],
    ['an empty value', { site: '' }, false],
    ['a value of 128', { site: 'x'.repeat(128) }, true],
    ['a value of 129', { site: 'x'.repeat(129) }, false],
    ['a control character', { site: 'a\nb' }, false],
    ['half a character', { site: '\ud800' }, false],
    ['a number', { site: 7 }, false],
    ['as many as there may be', many(MAX_LABELS), true],
    ['one more', many(MAX_LABELS + 1), false],
  ])('%s', (_, labels, isTaken) => {
    expect(labelsSchema.safeParse(labels).success).toBe(isTaken);
    expect(setLabelsSchema.safeParse(labels).success).toBe(isTaken);
    expect(helloSchema.shape.labels.safeParse(labels).success).toBe(isTaken);
  });

  it('are never named as the prototype of objects is', () => {
    expect(labelsSchema.parse(JSON.parse('{"__proto__": "x", "site": "nord"}'))).toEqual({ site: 'nord' });
  });

  it('of HQ win over those of the agent, and null hides one', () => {
    const told = { site: 'nord', rack: '7', role: 'gate' };
    const set = { rack: '8', role: null, owner: 'ann' };
    expect(Object.entries(effectiveLabels({ told, set }))).toEqual([
      ['owner', 'ann'],
      ['rack', '8'],
      ['site', 'nord'],
    ]);
  });

  it('are the same in any order only', () => {
    expect(sameLabels({ a: '1', b: '2' }, { b: '2', a: '1' })).toBe(true);
    expect(sameLabels({ a: '1' }, { a: '1', b: '2' })).toBe(false);
    expect(sameLabels({ a: '1' }, { a: null })).toBe(false);
    expect(sameLabels({ constructor: '1' }, { a: '1' })).toBe(false);
  });
});
