import { expect, it } from 'vitest';
import { createTokenLevel } from './token-level.ts';

it('lets a burst pass, then as much as flows in', () => {
  const level = createTokenLevel({ capacity: 20, refillPerSecond: 10 });
  expect(level.tryTake(20, 0)).toBe(0);
  expect(level.tryTake(5, 0)).toBe(500);
  expect(level.tryTake(5, 499)).toBeGreaterThan(0);
  expect(level.tryTake(5, 500)).toBe(0);
});

it('lets an amount beyond the burst pass when the bucket is full, and makes up for it afterwards', () => {
  const level = createTokenLevel({ capacity: 10, refillPerSecond: 10 });
  expect(level.tryTake(30, 0)).toBe(0);
  expect(level.tryTake(1, 2_000)).toBeGreaterThan(0);
  expect(level.tryTake(1, 2_100)).toBe(0);
});

it('gives what is taken in any case, and says when it is paid for', () => {
  const level = createTokenLevel({ capacity: 10, refillPerSecond: 10 });
  expect(level.take(10, 0)).toBe(0);
  expect(level.take(5, 0)).toBe(500);
  expect(level.take(5, 0)).toBe(1_000);
  expect(level.tryTake(1, 1_000)).toBe(100);
});

it('says what is owed', () => {
  const level = createTokenLevel({ capacity: 10, refillPerSecond: 10 });
  level.take(25, 0);
  expect(level.debt(0)).toBe(15);
  expect(level.debt(1_000)).toBe(5);
  expect(level.debt(2_000)).toBe(0);
});
