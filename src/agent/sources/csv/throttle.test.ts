/** A replay that is slowed while the journal holds much, and the bucket that slows it. */
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../../../tests/support/wait.ts';
import { parseSourceSpec } from '../spec.ts';
import { file, replay, type ToldEvent } from './testing/replays.ts';
import { createThrottle, type ThrottleSettings } from './throttle.ts';

/** Gives `step` samples whenever it may, and `perSecond` a second at most, on virtual time. */
function drive(settings: ThrottleSettings, { perSecond, step = 1 }: { perSecond: number; step?: number }) {
  const scheduler = new VirtualTimeScheduler();
  const events: ToldEvent[] = [];
  let pending = 0;
  const throttle = createThrottle({
    ...settings,
    source: 'csv',
    emit: (event: ToldEvent) => void events.push(event),
    scheduler,
    pending: () => pending,
    rhythm: () => null,
  });
  return {
    events,
    setPending: (count: number) => {
      pending = count;
    },
    /** How many it has given in so many ms. */
    run: (ms: number): number => {
      const end = scheduler.frame + ms;
      let given = 0;
      while (scheduler.frame < end) {
        const waitMs = throttle.waitMs();
        if (waitMs === 0) {
          throttle.given(step);
          given += step;
        }
        scheduler.frame += waitMs === 0 ? (step * 1000) / perSecond : waitMs;
      }
      return given;
    },
  };
}

describe('the throttle of a replay', () => {
  it('keeps its share of the usual rate while the journal is deep, and tells both turns', () => {
    const { events, setPending, run } = drive({ depth: 100, rate: 0.25 }, { perSecond: 400 });
    expect(run(5000)).toBe(2000);
    setPending(101);
    const slowed = run(10_000);
    expect(slowed).toBeGreaterThanOrEqual(990);
    // The share, and the burst of a tenth of a second.
    expect(slowed).toBeLessThanOrEqual(1012);
    setPending(100);
    expect(run(5000)).toBe(2000);
    const turns = events.filter(({ type }) => type !== 'csv_throttled_samples');
    expect(turns).toEqual([
      { type: 'csv_throttle_rate', source: 'csv', rate: 1 },
      { type: 'csv_throttle_rate', source: 'csv', rate: 0.25 },
      {
        type: 'csv_throttled',
        source: 'csv',
        pending: 101,
        depth: 100,
        samplesPerSecond: expect.closeTo(100, 0),
      },
      { type: 'csv_throttle_rate', source: 'csv', rate: 1 },
      { type: 'csv_unthrottled', source: 'csv', pending: 100, depth: 100 },
    ]);
    const counted = events.filter(({ type }) => type === 'csv_throttled_samples');
    expect(counted.reduce((sum, { count }) => sum + Number(count), 0)).toBe(slowed);
  });

  it('holds the share for blocks of any size, over any stretch', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1024 }),
        fc.double({ min: 0.05, max: 1, noNaN: true }),
        fc.integer({ min: 3000, max: 60_000 }),
        (step, rate, ms) => {
          const { setPending, run } = drive({ depth: 1, rate }, { perSecond: 50_000, step });
          run(3000);
          setPending(2);
          const given = run(ms);
          const share = 50_000 * rate;
          expect(given).toBeLessThanOrEqual((share * ms) / 1000 + share * 0.11 + 2 * step);
          expect(given).toBeGreaterThanOrEqual((share * (ms - 300)) / 1000 - step);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('waits where the share is 0, and looks again before long', () => {
    const { setPending, run } = drive({ depth: 1, rate: 0 }, { perSecond: 100 });
    run(1000);
    setPending(2);
    expect(run(10_000)).toBe(0);
    setPending(0);
    expect(run(1000)).toBeGreaterThanOrEqual(99);
  });
});

describe('a replay with throttleDepth', () => {
  it('waits while the journal is deep, and gives every row once it is not', async () => {
    const rows = Array.from({ length: 5000 }, (_, row) => `${1_700_000_000 + row},${row}\n`);
    let pending = 11;
    const path = file('');
    writeFileSync(path, `time,a\n${rows.join('')}`);
    const { samples$, events } = replay(path, 'speed=max,throttleDepth=10,throttleRate=0', {
      pending: () => pending,
    });
    const values: unknown[] = [];
    let isOver = false;
    const running = samples$.subscribe({
      next: ({ values: [value] }) => values.push(value),
      complete: () => {
        isOver = true;
      },
    });
    onTestFinished(() => running.unsubscribe());
    await until('the throttle', () => events.some(({ type }) => type === 'csv_throttled'));
    expect(values).toEqual([]);
    pending = 10;
    await until('the end', () => isOver);
    expect(values).toEqual(rows.map((_, row) => row));
    expect(events.map(({ type }) => type)).toContain('csv_unthrottled');
  });

  it.each([
    ['throttleDepth=0', 'must be at least 1, not 0'],
    ['throttleRate=2', 'must be at most 1, not 2'],
    ['throttleDepth=many', 'expected a number'],
  ])('refuses %s', (option, problem) => {
    expect(() => parseSourceSpec(`csv:path=f,${option}`)).toThrow(problem);
  });
});
