import { describe, expect, it } from 'vitest';
import { type Allowed, allowedBy, isLiveAllowed, mostInFlight } from './allowed.ts';
import { allowsLane, type BudgetPhase } from './metering/data-budget.ts';

const PHASES: readonly BudgetPhase[] = [
  { kind: 'open' },
  { kind: 'live_only', why: 'window' },
  { kind: 'reserve', why: 'budget_day', late: true },
  { kind: 'spent', why: 'budget_day' },
];
const allowedIn = (kind: BudgetPhase['kind']): Allowed => {
  const phase = PHASES.find((one) => one.kind === kind) ?? { kind: 'open' };
  return allowedBy({ allows: (lane) => allowsLane(phase, lane) });
};

describe('frames that a lane may have in flight', () => {
  it.each<[BudgetPhase['kind'], number]>([
    ['open', Number.POSITIVE_INFINITY],
    ['live_only', Number.POSITIVE_INFINITY],
    // What each has cost is known before the next one goes.
    ['reserve', 1],
    // None goes, which is not for this number to say.
    ['spent', Number.POSITIVE_INFINITY],
  ])('while the budget is %s: %d', (kind, frames) => {
    expect(mostInFlight(allowedIn(kind))).toBe(frames);
  });
});

describe('a fresh frame', () => {
  it.each<[BudgetPhase['kind'], boolean, boolean]>([
    ['open', true, true],
    ['live_only', true, true],
    ['reserve', false, true],
    ['spent', false, false],
  ])('goes while the budget is %s: %s, with an anomaly: %s', (kind, plain, notable) => {
    const goes = (isNotable: boolean) => isLiveAllowed(allowedIn(kind), { notable: isNotable });
    expect([goes(false), goes(true)]).toEqual([plain, notable]);
  });
});
