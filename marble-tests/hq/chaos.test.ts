import { of, timer } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createChaos, LOSS, PHASES, SLOW_DELAY_MS } from '../../src/hq/chaos.ts';
import type { Random } from '../../src/platform/random.ts';
import { seededRandom } from '../../src/platform/random.ts';
import type { Chaos, ChaosMode } from '../../src/protocol/api.ts';
import { marbles } from '../marbles.ts';

const always = (value: number): Random => ({ next: () => value });

type Seen = { readonly at: number; readonly effect: Chaos['effect'] };

/** Effects as they come within `ms` of virtual time. */
function effectsWithin(
  ms: number,
  random: Random,
  steps: readonly { at: number; mode: ChaosMode }[] = [],
): Seen[] {
  const seen: Seen[] = [];
  marbles(({ scheduler }) => {
    const clock = { now: () => scheduler.now(), scheduler };
    const chaos = createChaos({ mode: 'random', enabled: true, clock, random });
    chaos.state$.subscribe(({ effect, since }) => seen.push({ at: since, effect }));
    for (const { at, mode } of steps) timer(at, scheduler).subscribe(() => chaos.setMode(mode));
    timer(ms, scheduler).subscribe(() => chaos.stop());
  });
  return seen;
}

describe('chaos in mode random', () => {
  it('alternates between peace and one way of spoiling the link', () => {
    expect(effectsWithin(60_000, always(0))).toEqual([
      { at: 0, effect: 'none' },
      { at: 15_000, effect: 'down' },
      { at: 23_000, effect: 'none' },
      { at: 38_000, effect: 'down' },
      { at: 46_000, effect: 'none' },
    ]);
  });

  it('comes to every effect and keeps to the bounds of each', () => {
    const seen = effectsWithin(3_600_000, seededRandom(7));
    expect(new Set(seen.map(({ effect }) => effect))).toEqual(new Set(['none', 'down', 'slow', 'lossy']));
    for (const [index, { at, effect }] of seen.entries()) {
      const next = seen[index + 1];
      if (next === undefined) break;
      const [shortest, longest] = PHASES[effect];
      expect(next.at - at).toBeGreaterThanOrEqual(Math.floor(shortest));
      expect(next.at - at).toBeLessThanOrEqual(Math.ceil(longest));
    }
  });

  it('stops changing by itself once a fixed mode is set', () => {
    const seen = effectsWithin(600_000, always(0), [{ at: 10_000, mode: 'lossy' }]);
    expect(seen).toEqual([
      { at: 0, effect: 'none' },
      { at: 10_000, effect: 'lossy' },
    ]);
  });
});

describe('what becomes of a message', () => {
  const fate = (mode: ChaosMode, random: Random): { verdict: string | null; at: number } => {
    let result: { verdict: string | null; at: number } = { verdict: null, at: -1 };
    marbles(({ scheduler }) => {
      const chaos = createChaos({
        mode,
        enabled: true,
        clock: { now: () => scheduler.now(), scheduler },
        random,
      });
      chaos.admit().subscribe((verdict) => {
        result = { verdict, at: scheduler.now() };
      });
      timer(10_000, scheduler).subscribe(() => chaos.stop());
    });
    return result;
  };

  it('passes at once while off', () => {
    expect(fate('off', always(0))).toEqual({ verdict: 'pass', at: 0 });
  });

  it('is refused while down', () => {
    expect(fate('down', always(0))).toEqual({ verdict: 'refuse', at: 0 });
  });

  it('passes late while slow', () => {
    expect(fate('slow', always(0))).toEqual({ verdict: 'pass', at: SLOW_DELAY_MS[0] });
  });

  it('is lost now and then while lossy', () => {
    expect(fate('lossy', always(LOSS - 0.01)).verdict).toBe('lose');
    expect(fate('lossy', always(LOSS)).verdict).toBe('pass');
  });
});

describe('chaos that is not enabled', () => {
  it('stays off, whatever mode is asked for', () => {
    marbles(({ expectObservable, scheduler }) => {
      const chaos = createChaos({
        mode: 'down',
        enabled: false,
        clock: { now: () => scheduler.now(), scheduler },
        random: always(0),
      });
      expectObservable(of(chaos.setMode('down'))).toBe('(a|)', { a: false });
      expectObservable(chaos.admit()).toBe('(a|)', { a: 'pass' });
      expect(chaos.current()).toMatchObject({ mode: 'off', effect: 'none', enabled: false });
      chaos.stop();
    });
  });
});
