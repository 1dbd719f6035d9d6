import { expect, it } from 'vitest';
import { MAX_SEQ } from '../../protocol/sample.ts';
import { countsOf } from './agent-counts.ts';
import { EMPTY_EPOCH } from './epoch-state.ts';

const claiming = (sampled: number) => ({ ...EMPTY_EPOCH, sampled });

it('sums over epochs are exact, as long as a double has every integer', () => {
  const most = Array.from({ length: 31 }, () => claiming(MAX_SEQ));
  expect(countsOf(most)).toMatchObject({ sampled: 31 * MAX_SEQ, pending: 31 * MAX_SEQ });
});

it('sums that an agent claims beyond stay at the largest exact integer', () => {
  const many = Array.from({ length: 45 }, () => claiming(MAX_SEQ));
  const { sampled, pending, stored } = countsOf(many);
  expect([sampled, pending, stored]).toEqual([Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 0]);
});
