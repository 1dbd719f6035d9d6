import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createFairQueue } from './fair-queue.ts';

it('lets owners take turns, however much one of them has put in', () => {
  const queue = createFairQueue<string>();
  for (let n = 1; n <= 5; n += 1) queue.push('flood', `f${n}`);
  queue.push('a', 'a1');
  queue.push('b', 'b1');
  queue.push('a', 'a2');
  expect(Array.from({ length: 9 }, () => queue.shift())).toEqual([
    'f1',
    'a1',
    'b1',
    'f2',
    'a2',
    'f3',
    'f4',
    'f5',
    undefined,
  ]);
});

it('keeps the order of each owner, loses nothing, and lets nobody wait for more than one item of each other', () => {
  const owners = fc.constantFrom('a', 'b', 'c', 'd');
  fc.assert(
    fc.property(fc.array(fc.oneof(owners, fc.constant(null)), { maxLength: 300 }), (steps) => {
      const queue = createFairQueue<{ owner: string; n: number }>();
      const waiting = new Map<string, number[]>();
      /** Items of others that came out since the oldest one of an owner has waited. */
      const passed = new Map<string, number>();
      let next = 0;
      for (const owner of [...steps, ...Array.from({ length: steps.length }, () => null)]) {
        if (owner !== null) {
          next += 1;
          queue.push(owner, { owner, n: next });
          waiting.set(owner, [...(waiting.get(owner) ?? []), next]);
          continue;
        }
        const item = queue.shift();
        const left = [...waiting.values()].flat().length;
        expect(item === undefined).toBe(left === 0);
        if (item === undefined) continue;
        expect(item.n).toBe(waiting.get(item.owner)?.shift());
        for (const [other, list] of waiting) {
          const count = list.length === 0 || other === item.owner ? 0 : (passed.get(other) ?? 0) + 1;
          passed.set(other, count);
          expect(count).toBeLessThanOrEqual(3);
        }
      }
    }),
  );
});
