import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createOrderedKeys } from './ordered-keys.ts';

const keyOf = (number: number) =>
  String.fromCharCode(97 + (number % 26), 97 + (Math.floor(number / 26) % 26));
const key = fc.nat(675).map(keyOf);

describe('ordered keys', () => {
  it('hold what a sorted set holds, whatever is added and removed', () => {
    const step = fc.record({ key, add: fc.boolean() });
    const query = fc.record({
      from: key,
      to: key,
      limit: fc.integer({ min: 1, max: 700 }),
      reverse: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(key),
        fc.array(step, { maxLength: 300 }),
        fc.array(query),
        (first, steps, queries) => {
          const set = new Set(first);
          const ordered = createOrderedKeys(set);
          for (const one of steps) {
            if (one.add) set.add(one.key);
            else set.delete(one.key);
            if (one.add) ordered.add(one.key);
            else ordered.remove(one.key);
          }
          for (const { from, to, limit, reverse } of queries) {
            const all = [...set].filter((one) => one >= from && one < to).sort();
            if (reverse) all.reverse();
            expect(ordered.within({ from, to, limit, reverse })).toEqual(all.slice(0, limit));
          }
        },
      ),
    );
  });

  it('keep their order over several blocks that grow and empty', () => {
    const ordered = createOrderedKeys([]);
    const keys = Array.from({ length: 5_000 }, (_, index) =>
      String((index * 7_919) % 5_000).padStart(4, '0'),
    );
    for (const one of keys) ordered.add(one);
    const query = { from: '0', to: '9999', limit: 10_000, reverse: false };
    const all = [...keys].sort();
    expect(ordered.within(query)).toEqual(all);
    expect(ordered.within({ ...query, reverse: true })).toEqual([...all].reverse());
    expect(ordered.within({ from: '2000', to: '3500', limit: 1_200, reverse: false })).toEqual(
      all.slice(2_000, 3_200),
    );
    for (const one of all.slice(1_000, 4_000)) ordered.remove(one);
    expect(ordered.within({ from: '0900', to: '4100', limit: 1_000, reverse: false })).toEqual([
      ...all.slice(900, 1_000),
      ...all.slice(4_000, 4_100),
    ]);
    for (const one of all) ordered.remove(one);
    expect(ordered.within(query)).toEqual([]);
  });
});
