/** A link with short passes is used soon, whatever the agent was just doing when it came back. */
import { expect, it } from 'vitest';
import { runReturns } from '../../benchmarks/support/link-returns.ts';
import { LINK_ROWS } from '../../benchmarks/support/link-rows.ts';
import { OURS } from '../../benchmarks/support/link-run.ts';
import { inWorkshop } from '../../benchmarks/support/processes.ts';
import { putAhead } from '../support/ahead.ts';

/**
 * An attempt that hears nothing is given up after 4 to 4.5 s; a first answer takes 0.6 s, and what the modem holds up
 * to 1 s more.
 */
const MOMENTS = [300, 2_000, 3_300, 3_600, 4_000, 4_400];

it('stores a fresh sample within 4 s of each return', async () => {
  const row = LINK_ROWS.find(({ passes }) => passes !== undefined);
  if (row?.aims.firstFreshMs === undefined) throw new Error('no row of passes');
  putAhead([process.pid]);
  const returns = await inWorkshop((workshop) => runReturns({ workshop, product: OURS }, row, MOMENTS));
  expect(returns.map(({ intoMs }) => intoMs)).toEqual(MOMENTS);
  for (const { intoMs, freshMs } of returns)
    expect(freshMs, `${intoMs} ms into an attempt`).toBeLessThanOrEqual(row.aims.firstFreshMs);
});
