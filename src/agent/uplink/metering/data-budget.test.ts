import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCalendar } from './calendar.ts';
import {
  advance,
  allowsLane,
  type BudgetPhase,
  type DataBudget,
  type DataBudgetSettings,
  type Instant,
  isExhausted,
  leftIn,
  newBudget,
  observeLive,
  pauseEnd,
  phaseOf,
  spend,
} from './data-budget.ts';
import { parseWindow } from './windows.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse('2026-11-28T10:00:00Z');

function settingsOf(change: Partial<DataBudgetSettings> & { zone?: string } = {}): DataBudgetSettings {
  const { zone = 'UTC', ...rest } = change;
  return { maxBytesPerDay: 0, maxBytesPerMonth: 0, windows: [], calendar: createCalendar(zone), ...rest };
}

/** A budget and the two clocks that it goes by. */
function world(settings: DataBudgetSettings, wall = START) {
  let at: Instant = { wall, uptime: 0, boot: 'first' };
  let budget = newBudget(at, settings);
  const look = () => {
    budget = advance(budget, at, settings);
  };
  return {
    pass: (ms: number) => {
      at = { ...at, wall: at.wall + ms, uptime: at.uptime + ms };
      look();
    },
    setClock: (to: number) => {
      at = { ...at, wall: to };
      look();
    },
    /** Off for so long; the clock that it starts with may be wrong. */
    reboot: (to: number) => {
      at = { wall: to, uptime: 1_000, boot: `${at.boot}+` };
      look();
    },
    spend: (bytes: number) => {
      budget = spend(budget, bytes);
      look();
    },
    live: (bytesPerSecond: number, ms = 60_000) => {
      budget = observeLive(budget, { bytes: (bytesPerSecond * ms) / 1000, ms });
      look();
    },
    get day() {
      return budget.day;
    },
    get month() {
      return budget.month;
    },
    get phase() {
      return phaseOf(budget, settings);
    },
    get budget(): DataBudget {
      return budget;
    },
  };
}

describe('a data budget', () => {
  it('sets no limit without any', () => {
    const its = world(settingsOf());
    its.spend(1e12);
    expect(its.phase).toEqual({ kind: 'open' });
    expect(leftIn(its.budget, 'day', settingsOf())).toBeNull();
  });

  it('stops backlog first, then live samples, then all but a hello', () => {
    const settings = settingsOf({ maxBytesPerDay: 10_000_000 });
    const its = world(settings);
    its.live(100);
    expect(its.phase).toEqual({ kind: 'open' });
    // 14 hours of 100 B/s need 5.04 MB; 9 MB are there for them and for backlog.
    its.spend(3_900_000);
    expect(its.phase).toEqual({ kind: 'open' });
    its.spend(100_000);
    expect(its.phase).toEqual({ kind: 'live_only', why: 'live_first' });
    its.spend(4_999_000);
    expect(its.phase.kind).toBe('live_only');
    its.spend(1_000);
    expect(its.phase).toEqual({ kind: 'reserve', why: 'budget_day', late: true });
    // 14 hellos of 3 KiB stay, and what is under way when anomalies end.
    its.spend(1_000_000 - 14 * 3_072 - 1_536 - 1);
    expect(its.phase.kind).toBe('reserve');
    its.spend(1);
    expect(its.phase).toEqual({ kind: 'spent', why: 'budget_day' });
    expect(isExhausted(its.budget, settings)).toBe(false);
    its.spend(14 * 3_072 + 1_536);
    expect(isExhausted(its.budget, settings)).toBe(true);
    expect(pauseEnd(its.budget, 'budget_day', settings)).toBe(Date.parse('2026-11-29T00:00:00Z'));
  });

  it('lets what each phase says go', () => {
    const lanes = ['live', 'notable', 'late', 'backlog'] as const;
    const of = (phase: BudgetPhase) => lanes.filter((lane) => allowsLane(phase, lane));
    expect(of({ kind: 'open' })).toEqual(['live', 'notable', 'late', 'backlog']);
    expect(of({ kind: 'live_only', why: 'window' })).toEqual(['live', 'notable', 'late']);
    expect(of({ kind: 'live_only', why: 'live_first' })).toEqual(['live', 'notable']);
    expect(of({ kind: 'reserve', why: 'budget_day', late: true })).toEqual(['notable', 'late']);
    expect(of({ kind: 'reserve', why: 'budget_day', late: false })).toEqual(['notable']);
    expect(of({ kind: 'spent', why: 'budget_day' })).toEqual([]);
  });

  it('leaves late anomalies none of what live samples need, of whichever span', () => {
    const settings = settingsOf({ maxBytesPerDay: 1_000_000, maxBytesPerMonth: 3_000_000 });
    const its = world(settings);
    its.live(5);
    // 14 hours and 2 days of 5 B/s.
    const goes = () => allowsLane(its.phase, 'late');
    expect(goes()).toBe(true);
    its.spend(650_000);
    expect([its.phase.kind, goes()]).toEqual(['live_only', false]);
    its.spend(250_000);
    expect([its.phase.kind, goes()]).toEqual(['reserve', true]);
    // The day is over for live samples, and the month has to last for them.
    const both = world(settings);
    both.live(10);
    both.spend(900_000);
    expect([both.phase.kind, goes()]).toEqual(['reserve', true]);
    both.live(14);
    expect([both.phase.kind, allowsLane(both.phase, 'late')]).toEqual(['reserve', false]);
  });

  it('gives backlog what is left, as the day goes by', () => {
    const its = world(settingsOf({ maxBytesPerDay: 10_000_000 }));
    its.live(100);
    its.spend(4_000_000);
    expect(its.phase.kind).toBe('live_only');
    // Live samples cost half of what was expected: the other half is to spare.
    its.live(50, 2 * HOUR);
    its.pass(2 * HOUR);
    its.spend(50 * 7200);
    expect(its.phase.kind).toBe('open');
  });

  it('does not change its mind with every byte', () => {
    const its = world(settingsOf({ maxBytesPerDay: 10_000_000 }));
    its.live(100);
    let changes = 0;
    let before = its.phase.kind;
    for (let step = 0; step < 2_000; step += 1) {
      its.pass(10_000);
      its.spend(1_000);
      if (its.phase.kind === 'open') its.spend(30_000);
      if (its.phase.kind !== before) changes += 1;
      before = its.phase.kind;
    }
    expect(changes).toBeLessThan(4);
  });

  it('keeps backlog until it knows what live samples need', () => {
    const its = world(settingsOf({ maxBytesPerDay: 10_000_000 }));
    expect(its.phase).toEqual({ kind: 'live_only', why: 'live_first' });
    its.live(10, 29_000);
    expect(its.phase.kind).toBe('live_only');
    its.live(10, 1_000);
    expect(its.phase.kind).toBe('open');
  });

  it('is kept for the month, too', () => {
    const settings = settingsOf({ maxBytesPerDay: 10_000_000, maxBytesPerMonth: 20_000_000 });
    const its = world(settings);
    its.live(0);
    its.spend(9_100_000);
    expect(its.phase).toEqual({ kind: 'reserve', why: 'budget_day', late: true });
    its.pass(14 * HOUR);
    expect(its.phase).toEqual({ kind: 'open' });
    its.spend(8_900_000);
    expect(its.phase).toEqual({ kind: 'reserve', why: 'budget_month', late: true });
    expect(pauseEnd(its.budget, 'budget_month', settings)).toBe(Date.parse('2026-12-01T00:00:00Z'));
    its.pass(2 * DAY);
    expect(its.phase).toEqual({ kind: 'open' });
  });

  it('begins a day when it begins in the zone, also where the clocks change', () => {
    const vienna = settingsOf({ maxBytesPerDay: 1_000_000, zone: 'Europe/Vienna' });
    const its = world(vienna, Date.parse('2026-10-24T22:00:00Z'));
    its.spend(950_000);
    its.pass(25 * HOUR - 1);
    expect([its.day.key, its.phase.kind]).toEqual(['2026-10-25', 'reserve']);
    its.pass(1);
    expect(its.day).toEqual({ key: '2026-10-26', used: 0, unsure: 0 });
  });

  it('lets backlog go in its windows only, by the clock of the zone', () => {
    const windows = [parseWindow('22:00-06:00')];
    const settings = settingsOf({ windows, zone: 'Europe/Vienna' });
    const its = world(settings);
    expect(its.phase).toEqual({ kind: 'live_only', why: 'window' });
    expect(pauseEnd(its.budget, 'window', settings)).toBe(Date.parse('2026-11-28T21:00:00Z'));
    its.pass(11 * HOUR);
    expect(its.phase).toEqual({ kind: 'open' });
    its.pass(8 * HOUR);
    expect(its.phase.kind).toBe('live_only');
  });
});

describe('a clock that jumps', () => {
  const settings = settingsOf({ maxBytesPerDay: 1_000_000, maxBytesPerMonth: 5_000_000 });

  it.each([
    ['forward by days', START + 3 * DAY],
    ['forward by years', START + 4_000 * DAY],
    ['back by days', START - 2 * DAY],
    ['back to 1970', 0],
  ])('%s takes along what was used, and back again', (_what, to) => {
    const its = world(settings);
    its.spend(600_000);
    its.setClock(to);
    expect([its.day.used, its.month.used]).toEqual([600_000, 600_000]);
    its.spend(200_000);
    its.setClock(START + 60_000);
    expect([its.day.key, its.day.used, its.month.used]).toEqual(['2026-11-28', 800_000, 800_000]);
  });

  it('begins a new day at the next midnight, wherever it landed', () => {
    const its = world(settings);
    its.spend(900_000);
    its.setClock(START + 400 * DAY);
    its.pass(14 * HOUR);
    expect(its.day.used).toBe(0);
  });

  it('is no jump when it is set right a little over midnight', () => {
    const its = world(settings);
    its.spend(900_000);
    its.pass(14 * HOUR + 60_000);
    its.spend(100_000);
    its.setClock(Date.parse('2026-11-28T23:50:00Z'));
    expect(its.day).toMatchObject({ key: '2026-11-29', used: 100_000 });
    its.pass(20 * 60_000);
    expect(its.day).toMatchObject({ key: '2026-11-29', used: 100_000 });
  });

  it('begins a new day for a machine that was off over midnight, or slept', () => {
    const off = world(settings);
    off.spend(900_000);
    off.reboot(START + 20 * HOUR);
    expect(off.day).toMatchObject({ key: '2026-11-29', used: 0 });
    const slept = world(settings);
    slept.spend(900_000);
    slept.pass(20 * HOUR);
    expect(slept.day).toMatchObject({ key: '2026-11-29', used: 0 });
  });

  it('gives nothing to a machine that starts without a clock', () => {
    const its = world(settings);
    its.spend(900_000);
    its.reboot(0);
    its.spend(50_000);
    its.setClock(START + HOUR);
    expect([its.day.key, its.day.used, its.month.used]).toEqual(['2026-11-28', 950_000, 950_000]);
  });

  it('takes back what a machine was given that started with a date in the future', () => {
    const its = world(settings);
    its.spend(900_000);
    its.reboot(START + 100 * DAY);
    expect(its.day.used).toBe(0);
    its.spend(50_000);
    its.setClock(START + HOUR);
    expect([its.day.key, its.day.used, its.month.used]).toEqual(['2026-11-28', 950_000, 950_000]);
  });

  it('gives no budget twice, whatever jumps and restarts', () => {
    const step = fc.record({
      kind: fc.constantFrom('jump', 'reboot', 'right'),
      // Close enough to be a date, or one that no machine can have been off until.
      to: fc.oneof(
        fc.integer({ min: 0, max: START - 500 * DAY }),
        fc.integer({ min: START, max: START + 5 * DAY }),
        fc.integer({ min: START + 500 * DAY, max: START + 5_000 * DAY }),
      ),
      ms: fc.integer({ min: 0, max: HOUR / 2 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const its = world(settings);
        let real = START;
        let used = 0;
        let midnights = 0;
        const spendAll = () => {
          const bytes = Math.min(leftIn(its.budget, 'day', settings) ?? 0, 400_000);
          its.spend(bytes);
          used += bytes;
        };
        for (const { kind, to, ms } of steps) {
          const before = its.day.key;
          real += ms;
          its.pass(ms);
          // On a clock that is wrong midnight comes at another time, but it comes once a day.
          if (its.day.key !== before) midnights += 1;
          spendAll();
          if (kind === 'jump') its.setClock(to);
          else if (kind === 'reboot') its.reboot(to);
          spendAll();
          its.setClock(real);
          spendAll();
        }
        expect(used).toBeLessThanOrEqual(1_000_000 * (1 + midnights + restartsAhead(steps)));
      }),
      { numRuns: 300 },
    );
    /** A machine that starts with a date of the next days may have been off until then. */
    function restartsAhead(steps: readonly { kind: string; to: number }[]): number {
      return steps.filter(({ kind, to }) => kind === 'reboot' && Math.abs(to - START) < 6 * DAY).length;
    }
  });
});
