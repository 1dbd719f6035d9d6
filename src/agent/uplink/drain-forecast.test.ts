import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DrainSeen, forecastOf, lookAtDrain, NOTHING_SEEN } from './drain-forecast.ts';

const MINUTE = 60_000;

/** A journal that is looked at every second. */
function journal(pendingBytes: number) {
  let seen: DrainSeen = lookAtDrain(NOTHING_SEEN, { at: 0, pendingBytes, connected: true });
  let at = 0;
  let bytes = pendingBytes;
  return {
    /** Shrinks by so many bytes a second, for a while. */
    shrinks: (perSecond: number, ms: number) => {
      for (const end = at + ms; at < end; ) {
        at += 1_000;
        bytes -= perSecond;
        seen = lookAtDrain(seen, { at, pendingBytes: bytes, connected: true });
      }
    },
    isAlone: (ms: number) => {
      at += ms;
      seen = lookAtDrain(seen, { at, pendingBytes: bytes, connected: false });
    },
    sleeps: (ms: number) => {
      at += ms;
      seen = lookAtDrain(seen, { at, pendingBytes: bytes, connected: true });
    },
    get bytes() {
      return bytes;
    },
    forecast: (behind = true) => forecastOf(seen, behind),
  };
}

describe('a forecast of the drain', () => {
  it('says nothing before 30 s', () => {
    const its = journal(1_000_000);
    its.shrinks(1_000, 29_000);
    expect(its.forecast()).toEqual({ kind: 'unknown' });
    its.shrinks(1_000, 1_000);
    expect(its.forecast()).toEqual({ kind: 'in', ms: 970_000, lowMs: null, highMs: null });
  });

  it('needs none once all is delivered', () => {
    const its = journal(1_000);
    its.shrinks(10, MINUTE);
    expect(its.forecast(false)).toEqual({ kind: 'caught_up' });
  });

  it('says never when as much comes as goes', () => {
    const its = journal(1_000_000);
    its.shrinks(0, MINUTE);
    expect(its.forecast()).toEqual({ kind: 'never' });
    its.shrinks(-50, MINUTE);
    expect(its.forecast()).toEqual({ kind: 'never' });
  });

  it('has a band of the slow and the fast minutes', () => {
    const its = journal(10_000_000);
    for (const minute of [10, 1, 9, 2, 8, 3, 7, 4, 6, 5]) its.shrinks(minute * 100, MINUTE);
    const forecast = its.forecast();
    expect(forecast).toMatchObject({
      kind: 'in',
      lowMs: expect.closeTo((its.bytes * 1000) / 820, 3),
      highMs: expect.closeTo((its.bytes * 1000) / 280, 3),
    });
  });

  it('has no upper end while the slow minutes gain nothing', () => {
    const its = journal(10_000_000);
    for (let minute = 1; minute <= 10; minute += 1) its.shrinks(minute <= 3 ? 0 : 1_000, MINUTE);
    expect(its.forecast()).toMatchObject({ kind: 'in', highMs: null });
    expect(its.forecast()).toMatchObject({ lowMs: its.bytes });
  });

  it('follows a link that becomes faster, within minutes', () => {
    const its = journal(100_000_000);
    its.shrinks(1_000, 10 * MINUTE);
    its.shrinks(20_000, MINUTE);
    const rateAfter = (ms: number) => {
      its.shrinks(20_000, ms);
      const forecast = its.forecast();
      return forecast.kind === 'in' ? (its.bytes * 1000) / forecast.ms : 0;
    };
    expect(rateAfter(1_000)).toBeGreaterThan(12_000);
    expect(rateAfter(4 * MINUTE)).toBeGreaterThan(19_500);
  });

  it('has a band that holds its own value, however the minutes were', () => {
    const part = fc.record({
      perSecond: fc.integer({ min: -2_000, max: 5_000 }),
      seconds: fc.integer({ min: 1, max: 150 }),
    });
    fc.assert(
      fc.property(fc.array(part, { minLength: 3, maxLength: 12 }), (parts) => {
        const its = journal(1e9);
        for (const { perSecond, seconds } of parts) its.shrinks(perSecond, seconds * 1_000);
        const forecast = its.forecast();
        if (forecast.kind !== 'in') return;
        expect(forecast.lowMs ?? 0).toBeLessThanOrEqual(forecast.ms);
        expect(forecast.highMs ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(forecast.ms);
      }),
    );
  });

  it('forgets minutes older than ten', () => {
    const its = journal(100_000_000);
    its.shrinks(100, 10 * MINUTE);
    its.shrinks(5_000, 10 * MINUTE);
    expect(its.forecast()).toMatchObject({
      lowMs: (its.bytes * 1000) / 5_000,
      highMs: expect.closeTo((its.bytes * 1000) / 5_000, -4),
    });
  });

  it.each(['isAlone', 'sleeps'] as const)('begins anew after an outage or a sleep (%s)', (what) => {
    const its = journal(1_000_000);
    its.shrinks(1_000, 5 * MINUTE);
    its[what](MINUTE);
    its.shrinks(1_000, 10_000);
    expect(its.forecast()).toEqual({ kind: 'unknown' });
    its.shrinks(2_000, 50_000);
    expect(its.forecast()).toMatchObject({ kind: 'in', lowMs: null });
  });
});
