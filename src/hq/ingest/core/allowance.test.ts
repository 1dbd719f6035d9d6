import { expect, it } from 'vitest';
import { createAllowance } from './allowance.ts';

it('lets a burst pass, then as much as flows in', () => {
  const allowance = createAllowance({ perSecond: 10, burst: 20 });
  expect(allowance.take(20, 0)).toBe(0);
  expect(allowance.take(5, 0)).toBe(500);
  expect(allowance.take(5, 499)).toBeGreaterThan(0);
  expect(allowance.take(5, 500)).toBe(0);
});

it('lets an amount beyond the burst pass when the bucket is full, and makes up for it afterwards', () => {
  const allowance = createAllowance({ perSecond: 10, burst: 10 });
  expect(allowance.take(30, 0)).toBe(0);
  expect(allowance.take(1, 2_000)).toBeGreaterThan(0);
  expect(allowance.take(1, 2_100)).toBe(0);
});
