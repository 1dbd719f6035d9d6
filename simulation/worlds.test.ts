import { expect, it } from 'vitest';
import { sized } from '../tests/support/long.ts';
import { FAULT_KINDS } from './faults/plan.ts';
import { simulate } from './simulate-process.ts';

const SEEDS = sized(300, 1_500);
/** Short worlds have as many faults as long ones. */
const HOURS = sized(0.028, 0.045);

it(`keeps every promise in ${SEEDS} worlds`, async () => {
  const { code, summary } = await simulate('--seeds', String(SEEDS), '--hours', String(HOURS), '--jobs', '2');
  expect(summary.failures).toEqual([]);
  expect(code).toBe(0);
  expect(summary.seeds).toBe(SEEDS);
  expect(Object.keys(summary.faults).sort()).toEqual([...FAULT_KINDS].sort());
  // Or the checks of thinned frames would say nothing.
  expect(summary.thinned).toBeGreaterThan(1.5 * SEEDS);
});
