import { firstValueFrom, of } from 'rxjs';
import { expect, it } from 'vitest';
import { createSystemClock } from '../../platform/clock.ts';
import type { NumbersOfAgent } from '../store/store.ts';
import { createRoster } from './roster.ts';

const EPOCH = 'aaaaaaaaaaaa';
const numbersOf = (pending: number): NumbersOfAgent => ({
  counts: { sampled: pending, stored: 0, pending, thinned: 0, dropped: 0 },
  anomalies: { open: 0, total: 0 },
  seriesCount: 0,
});

it('sums are exact again once an agent that claims all there is has gone', async () => {
  const pending = new Map([
    ['honest', 7],
    ['liar', Number.MAX_SAFE_INTEGER],
    ['another', 9],
  ]);
  const store = {
    numbers: (agents: readonly string[]) => of(agents.map((id) => numbersOf(pending.get(id) ?? 0))),
  };
  const roster = createRoster(store, createSystemClock(), () => ({}));
  for (const id of pending.keys()) {
    roster.touch(roster.entryOf(id, EPOCH));
    await firstValueFrom(roster.freshen());
  }
  expect(roster.sums()).toMatchObject({ agents: 3, pending: Number.MAX_SAFE_INTEGER });
  roster.remove('liar');
  expect(roster.sums()).toMatchObject({ agents: 2, pending: 16 });
});
