import { expect, test } from 'vitest';
import { ledgerSum } from './ledger-sum.ts';

const entry = {
  epoch: 'a1b2c3d4e5f6',
  sampled: 100,
  stored: 60,
  pending: 20,
  thinned: { quota: 5 },
  dropped: { overflow: 10, lost_at_hq: 5 },
  contiguous: 60,
  ranges: [],
  gaps: [],
};

test('the equation holds when every sample is accounted for', () => {
  expect(ledgerSum(entry)).toEqual({ thinned: 5, dropped: 15, unexplained: 0 });
});

test('what is missing or counted twice shows', () => {
  expect(ledgerSum({ ...entry, stored: 58 }).unexplained).toBe(2);
  expect(ledgerSum({ ...entry, stored: 61 }).unexplained).toBe(-1);
});
