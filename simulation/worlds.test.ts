/** The worlds of `npm test`. Nothing else runs beside them, so that the time they take is their own. */
import { expect, it } from 'vitest';
import { FAULT_KINDS } from './faults/plan.ts';
import { simulate } from './simulate-process.ts';

it('keeps every promise in 300 worlds', async () => {
  const { code, summary } = await simulate('--seeds', '300', '--hours', '0.045', '--jobs', '2');
  expect(summary.failures).toEqual([]);
  expect(code).toBe(0);
  expect(summary.seeds).toBe(300);
  expect(Object.keys(summary.faults).sort()).toEqual([...FAULT_KINDS].sort());
  // Or the checks of thinned frames would say nothing.
  expect(summary.thinned).toBeGreaterThan(500);
});
