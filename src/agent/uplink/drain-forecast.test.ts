import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DrainLook, type DrainSeen, forecastOf, lookAtDrain, NOTHING_SEEN } from './drain-forecast.ts';

const MINUTE = 60_000;

/** A journal that is looked at every second. */
function journal(pendingBytes: number) {
  let seen: DrainSeen = NOTHING_SEEN;
  let at = 0;
  let bytes = pendingBytes;
  const look = (link: DrainLook['link']) => {
    seen = lookAtDrain(seen, { at, pendingBytes: bytes, link });
  };
  const pass = (link: DrainLook['link'], perSecond: number, ms: number) => {
    // What the link is now it was from here on.
    look(link);
    for (const end = at + ms; at < end; ) {
      at += 1_000;
      bytes -= perSecond;
      look(link);
    }
  };
  look('connected');
  const its = {
    /** Shrinks by so many bytes a second, for a while. */
    shrinks: (perSecond: number, ms: number) => pass('connected', perSecond, ms),
    /** Grows without a connection. */
    isAlone: (ms: number, perSecond = 0) => pass('outage', -perSecond, ms),
    isHeld: (ms: number, perSecond = 0) => pass('held', -perSecond, ms),
    catchesUp: () => look('caught_up'),
    sleeps: (ms: number) => {
      at += ms;
      look('connected');
    },
    /** A link that is there for a part of each period. */
    passes: (
      count: number,
      { perSecond = 1_000, connectedMs = 15_000, outageMs = 45_000, inflow = 0 } = {},
    ) => {
      for (let index = 0; index < count; index += 1) {
        its.shrinks(perSecond, connectedMs);
        its.isAlone(outageMs, inflow);
      }
    },
    /** Bytes a second that the forecast counts on. */
    rate: () => {
      const forecast = forecastOf(seen);
      return forecast.kind === 'in' ? (bytes * 1_000) / forecast.ms : null;
    },
    get bytes() {
      return bytes;
    },
    forecast: () => forecastOf(seen),
  };
  return its;
}

describe('a forecast of the drain', () => {
  it('says nothing before 30 s', () => {
    const its = journal(1_000_000);
    its.shrinks(1_000, 29_000);
    expect(its.forecast()).toEqual({ kind: 'unknown' });
    its.shrinks(1_000, 1_000);
    expect(its.forecast()).toEqual({ kind: 'in', ms: 970_000, lowMs: null, highMs: null });
  });

  it('does not count how a connection begins', () => {
    const its = journal(10_000_000);
    its.shrinks(-80, 15_000);
    // The fresh samples that had to wait go first.
    its.shrinks(2_200, 1_000);
    its.shrinks(1_000, 44_000);
    expect(its.rate()).toBeCloseTo(1_000);
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
    its.shrinks(20_000, 2 * MINUTE);
    expect(its.rate()).toBeGreaterThan(12_000);
    its.shrinks(20_000, 6 * MINUTE);
    expect(its.rate()).toBeGreaterThan(19_000);
  });

  it('swings by a quarter at most while a connection outlives outages of 45 s in every 60', () => {
    const its = journal(100_000_000);
    for (let count = 0; count < 12; count += 1) {
      its.shrinks(4_000, 15_000);
      if (count > 4) expect(its.rate()).toBeLessThan(1_250);
      its.shrinks(0, 45_000);
      if (count > 4) expect(its.rate()).toBeGreaterThan(750);
    }
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
      highMs: expect.closeTo((its.bytes * 1000) / 4_960, -5),
    });
  });

  it('begins again after a sleep', () => {
    const its = journal(1_000_000);
    its.shrinks(1_000, 5 * MINUTE);
    its.sleeps(MINUTE);
    its.shrinks(1_000, 10_000);
    expect(its.forecast()).toEqual({ kind: 'unknown' });
    its.shrinks(2_000, 50_000);
    expect(its.forecast()).toMatchObject({ kind: 'in', lowMs: null });
  });

  it('forgets all once the journal has caught up', () => {
    const its = journal(1_000_000);
    its.passes(3);
    its.shrinks(1_000, MINUTE);
    its.catchesUp();
    its.shrinks(1_000, 29_000);
    expect(its.forecast()).toEqual({ kind: 'unknown' });
  });

  it('does not count the time in which backlog may not go', () => {
    const its = journal(1_000_000);
    its.shrinks(1_000, MINUTE);
    its.isHeld(60 * MINUTE, 5);
    expect(its.rate()).toBeCloseTo(1_000);
  });
});

describe('a forecast of a link that comes and goes', () => {
  it('counts on the mean of whole passes, inflow included, from the third one on', () => {
    const its = journal(10_000_000);
    its.passes(1, { inflow: 10 });
    its.shrinks(1_000, 15_000);
    expect(its.forecast(), 'one outage is no pattern').toEqual({ kind: 'unknown' });
    its.isAlone(45_000, 10);
    its.shrinks(1_000, 1_000);
    for (let count = 0; count < 10; count += 1) {
      expect(its.rate()).toBeCloseTo((15 * 1_000 - 45 * 10) / 60, 0);
      its.shrinks(1_000, 14_000);
      expect(its.rate()).toBeCloseTo((15 * 1_000 - 45 * 10) / 60, 0);
      its.isAlone(45_000, 10);
      expect(its.rate(), 'also while it is away').toBeCloseTo((15 * 1_000 - 45 * 10) / 60, 0);
      its.shrinks(1_000, 1_000);
    }
  });

  it('is right: that is how long it takes', () => {
    const its = journal(1_000_000);
    its.passes(3, { inflow: 10 });
    const forecast = its.forecast();
    if (forecast.kind !== 'in') throw new Error(forecast.kind);
    let passes = 0;
    for (; its.bytes > 0; passes += 1) its.passes(1, { inflow: 10 });
    expect(Math.abs(forecast.ms - passes * MINUTE)).toBeLessThan(MINUTE);
  });

  it('holds for passes of hours, too', () => {
    const its = journal(100_000_000);
    its.passes(2, { connectedMs: 10 * MINUTE, outageMs: 80 * MINUTE });
    its.shrinks(1_000, MINUTE);
    expect(its.rate()).toBeCloseTo(1_000 / 9, 0);
  });

  it('says never when more comes in between than goes', () => {
    const its = journal(10_000_000);
    its.passes(3, { perSecond: 100, inflow: 50 });
    its.shrinks(100, 10_000);
    expect(its.forecast()).toEqual({ kind: 'never' });
  });

  it('has a band of the slow and the fast passes', () => {
    const its = journal(10_000_000);
    for (const perSecond of [1_000, 400, 2_000, 800, 1_200, 600]) its.passes(1, { perSecond });
    its.shrinks(1_000, 1_000);
    expect(its.rate()).toBeCloseTo(250, 0);
    expect(its.forecast()).toMatchObject({
      lowMs: expect.closeTo((its.bytes * 1_000) / 300, -3),
      highMs: expect.closeTo((its.bytes * 1_000) / 150, -3),
    });
  });

  it('follows a link whose passes change', () => {
    const its = journal(100_000_000);
    its.passes(20);
    its.passes(6, { perSecond: 4_000 });
    its.shrinks(4_000, 1_000);
    expect(its.rate()).toBeCloseTo(1_000, 0);
  });

  it('takes a link that flaps by no less than half a minute', () => {
    const its = journal(10_000_000);
    its.passes(5, { connectedMs: 2_000, outageMs: 4_000 });
    its.shrinks(1_000, 1_000);
    expect(its.forecast()).toEqual({ kind: 'unknown' });
    its.passes(20, { connectedMs: 2_000, outageMs: 4_000 });
    its.shrinks(1_000, 1_000);
    expect(its.rate()).toBeGreaterThan(300);
    expect(its.rate()).toBeLessThan(400);
  });

  it.each([MINUTE, 6 * 60 * MINUTE])('begins again after a single outage (%d ms)', (outageMs) => {
    const its = journal(100_000_000);
    its.shrinks(1_000, 60 * MINUTE);
    its.isAlone(outageMs, 1);
    expect(its.forecast()).toEqual({ kind: 'unknown' });
    its.shrinks(2_000, 29_000);
    expect(its.forecast()).toEqual({ kind: 'unknown' });
    its.shrinks(2_000, 2_000);
    expect(its.rate()).toBeCloseTo(2_000, 0);
  });

  it('says nothing once an outage is much longer than the others, and begins again after it', () => {
    const its = journal(100_000_000);
    its.passes(4);
    its.isAlone(MINUTE);
    expect(its.rate(), 'a pass is missed').toBeCloseTo(250, 0);
    its.isAlone(120 * MINUTE);
    expect(its.forecast()).toEqual({ kind: 'unknown' });
    its.shrinks(1_000, 15_000);
    expect(its.forecast()).toEqual({ kind: 'unknown' });
    its.isAlone(45_000);
    its.passes(1);
    expect(its.forecast()).toEqual({ kind: 'unknown' });
    its.shrinks(1_000, 1_000);
    expect(its.rate()).toBeCloseTo(250, 0);
  });

  it('takes a connection by itself once it lasts longer than the others did', () => {
    const its = journal(100_000_000);
    its.passes(4);
    its.shrinks(1_000, 30_000);
    expect(its.rate()).toBeCloseTo(250, 0);
    its.shrinks(1_000, 2_000);
    expect(its.rate()).toBeCloseTo(1_000, 0);
  });

  it('takes a connection by itself that will do, as long as it lasts as usual', () => {
    const its = journal(100_000_000);
    its.passes(2, { connectedMs: 60 * MINUTE, outageMs: 60 * MINUTE, perSecond: 100 });
    const enough = its.bytes / (30 * 60);
    its.shrinks(enough / 10, MINUTE);
    expect(its.forecast(), 'it will not do').toMatchObject({
      kind: 'in',
      ms: expect.closeTo((its.bytes * 1_000) / 50, -5),
    });
    its.sleeps(1_000);
    its.shrinks(enough, 6 * MINUTE);
    expect(its.rate()).toBeGreaterThan(enough / 2);
  });
});
