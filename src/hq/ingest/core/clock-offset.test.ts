import { expect, it } from 'vitest';
import { createClockOffset } from './clock-offset.ts';

it('takes half the shortest round trip off and trusts the message that was held up least', () => {
  const offset = createClockOffset();
  expect(offset.current()).toBeNull();
  // The agent is 1,000 ms ahead; ways of 10, 400 and 10 ms.
  expect(offset.observe(11_000, 10_010, 20)).toBe(1_000);
  expect(offset.observe(21_000, 20_400, 800)).toBe(1_000);
  expect(offset.observe(31_000, 30_010, 20)).toBe(1_000);
});

it('follows a clock that jumps, but not a single straggler', () => {
  const offset = createClockOffset();
  offset.observe(10_000, 10_000, 0);
  expect(offset.observe(11_000, 61_000, 0)).toBe(0);
  expect(offset.observe(62_000, 62_000, 0)).toBe(0);
  expect(offset.observe(3_663_000, 63_000, 0)).toBe(0);
  expect(offset.observe(3_664_000, 64_000, 0)).toBe(3_600_000);
});
