import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { leavesOf } from './leaves.ts';
import { readValue } from './value.ts';

const list = z.array(z.string()).default([]);
const leaves = leavesOf(
  z.object({ usual: list, spaced: list.meta({ separator: '[\\s,;]+' }) }).meta({ description: 'x' }),
);
const [usual, spaced] = leaves;
if (usual === undefined || spaced === undefined) throw new Error('there are two');
const scalars = leavesOf(
  z
    .object({
      word: z.enum(['info', 'warn']),
      text: z.string(),
      waitMs: z.number(),
      maxBytes: z.number(),
      count: z.int(),
      ready: z.boolean(),
      names: list,
    })
    .meta({ description: 'x' }),
);

describe('white space around a value', () => {
  it.each([
    ['word', 'info', 'info'],
    ['text', 'a b', 'a b'],
    ['waitMs', '1h30m', 5_400_000],
    ['maxBytes', '64 KiB', 65_536],
    ['count', '-7', -7],
    ['ready', 'yes', true],
    ['names', 'a; b', ['a', 'b']],
  ])('does not count: %s', (path, text, value) => {
    const leaf = scalars.find((one) => one.path === path);
    if (leaf === undefined) throw new Error('it is one of these');
    for (const given of [text, ` ${text}`, `${text} `, `\t${text}\r\n`, `\u00a0${text}\ufeff`])
      expect(readValue(leaf, given)).toEqual({ ok: true, value });
  });
});

describe('a list in one text', () => {
  it.each([
    ['a;b', ['a', 'b']],
    [' a ; ;b; ', ['a', 'b']],
    ['', []],
    ['csv:path="/data/a;b.csv",zone=UTC;sim:hz=10', ['csv:path="/data/a;b.csv",zone=UTC', 'sim:hz=10']],
    ['"csv:path=/data/a;b.csv";sim', ['csv:path=/data/a;b.csv', 'sim']],
    ['csv:path="a;b",name="c;d"', ['csv:path="a;b",name="c;d"']],
    ['"";a', ['', 'a']],
  ])('`%s` is %o', (text, value) => {
    expect(readValue(usual, text)).toEqual({ ok: true, value });
  });

  it('of another separator keeps what is quoted, too', () => {
    expect(readValue(spaced, 'http://a, "http://b/x y";http://c')).toEqual({
      ok: true,
      value: ['http://a', 'http://b/x y', 'http://c'],
    });
  });

  it.each(['csv:path="/data/a;sim', 'a"', '"a;b";"'])('`%s` is refused', (text) => {
    expect(readValue(usual, text)).toEqual({ ok: false, problem: 'a double quote is not closed' });
  });

  it('gives back every item that is quoted', () => {
    const item = fc.string({ minLength: 1 }).filter((text) => !text.includes('"'));
    fc.assert(
      fc.property(fc.array(item), (items) => {
        const text = items.map((one) => `"${one}"`).join(';');
        expect(readValue(usual, text)).toEqual({ ok: true, value: items });
      }),
    );
  });
});
