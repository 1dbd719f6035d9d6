import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { heartbeatFrom, leavesOf } from '../protocol/compact/heartbeat-delta.ts';
import { heartbeatSchema, linkReportSchema } from '../protocol/events.ts';
import { createLinkReporter, type LinkFacts, linkReportOf } from './link-report.ts';
import { journalStats } from './testing/journal-stats.ts';
import { heartbeatOf } from './uplink/heartbeat.ts';

const UPLINK: LinkFacts['uplink'] = {
  paused: null,
  live: 1,
  backlog: 2,
  behind: false,
  connection: 1,
  link: { rateBytesPerSecond: 8_123.456, minRttMs: 602.4, queueMs: 31.7, inFlightBytes: 500 },
};

function factsOf(change: Partial<LinkFacts> = {}): LinkFacts {
  return {
    uplink: UPLINK,
    budget: {
      phase: 'open',
      why: null,
      until: null,
      day: { used: 1_000, limit: null, left: null },
      month: { used: 2_000, limit: null, left: null },
      liveRate: 0,
    },
    forecast: { kind: 'caught_up' },
    ...change,
  };
}

describe('the report of a link', () => {
  it('has what is known, in few digits', () => {
    expect(linkReportOf(factsOf())).toEqual({
      rate: 8_120,
      minRttMs: 602,
      queueMs: 32,
      bytesToday: 1_000,
      bytesMonth: 2_000,
      caughtUpMs: 0,
      live: 1,
      backlog: 2,
    });
    expect(linkReportOf(factsOf({ uplink: { ...UPLINK, link: null } }))).toMatchObject({
      rate: null,
      minRttMs: null,
      queueMs: null,
    });
  });

  it('says what is left of the smaller budget, and why something waits until when', () => {
    const budget: LinkFacts['budget'] = {
      phase: 'live_only',
      why: 'live_first',
      until: 1_800_000_000_000,
      day: { used: 10, limit: 100, left: 90 },
      month: { used: 960, limit: 1_000, left: 40 },
      liveRate: 0,
    };
    const forecast = { kind: 'unknown' } as const;
    expect(linkReportOf(factsOf({ budget })), 'no backlog, nothing waits').not.toHaveProperty('paused');
    const report = linkReportOf(factsOf({ budget, forecast }));
    expect(report).toMatchObject({ budgetLeft: 40, paused: 'live_first', pausedUntil: 1_800_000_000_000 });
    // What HQ itself refuses comes first: it stops everything.
    const refused = linkReportOf(factsOf({ budget, uplink: { ...UPLINK, paused: 'unavailable' } }));
    expect(refused.paused).toBe('unavailable');
    expect(refused).not.toHaveProperty('pausedUntil');
  });

  it.each<[LinkFacts['forecast'], object]>([
    [{ kind: 'unknown' }, { caughtUpMs: null }],
    [{ kind: 'never' }, { never: true }],
    [{ kind: 'in', ms: 90_000.4, lowMs: null, highMs: null }, { caughtUpMs: 90_000 }],
    [
      { kind: 'in', ms: 90_000, lowMs: 60_000.6, highMs: 120_000 },
      { caughtUpMs: 90_000, caughtUpLowMs: 60_001, caughtUpHighMs: 120_000 },
    ],
  ])('has the forecast %o', (forecast, fields) => {
    const report = linkReportOf(factsOf({ forecast }));
    expect(report).toMatchObject(fields);
    expect(linkReportSchema.parse(report)).toEqual(report);
  });
});

describe('what HQ refuses', () => {
  const figure = fc.oneof(
    fc.double(),
    fc.integer(),
    fc.constantFrom(
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.MAX_VALUE,
      -0.5,
      19_531.25,
    ),
  );
  const maybe = fc.option(figure);
  const span = fc.record({ used: figure, limit: maybe, left: maybe });
  const facts: fc.Arbitrary<LinkFacts> = fc.record({
    uplink: fc.record({
      paused: fc.option(fc.constantFrom('unavailable', 'breaker_open')),
      live: figure,
      backlog: figure,
      behind: fc.boolean(),
      connection: fc.nat(),
      link: fc.option(
        fc.record({ rateBytesPerSecond: maybe, minRttMs: maybe, queueMs: maybe, inFlightBytes: figure }),
      ),
    }),
    budget: fc.record({
      phase: fc.constantFrom('open', 'live_only', 'reserve', 'spent'),
      why: fc.option(fc.constantFrom('budget_day', 'budget_month', 'live_first', 'window', 'way')),
      until: maybe,
      day: span,
      month: span,
      liveRate: figure,
    }),
    forecast: fc.oneof(
      fc.record({ kind: fc.constantFrom('caught_up', 'unknown', 'never') }),
      fc.record({ kind: fc.constant('in'), ms: figure, lowMs: maybe, highMs: maybe }),
    ),
  });

  it('is in no report, whatever the figures that it is made of', () => {
    fc.assert(
      fc.property(facts, (some) => {
        const report = linkReportOf(some);
        expect(linkReportSchema.safeParse(report).error).toBeUndefined();
        // As it is after a way through JSON.
        expect(linkReportSchema.safeParse(JSON.parse(JSON.stringify(report))).error).toBeUndefined();
      }),
      { numRuns: 1_000 },
    );
  });

  it('is in no heartbeat, whatever the figures that it is made of', () => {
    const stats = fc.record({
      sampled: fc.nat(),
      released: fc.nat(),
      pending: figure,
      thinned: figure,
      pendingBytes: figure,
      frameSamples: figure,
      oldestPendingTs: maybe,
      overflow: figure,
    });
    fc.assert(
      fc.property(
        stats,
        fc.integer({ min: -8.64e15, max: 8.64e15 }),
        maybe,
        fc.option(facts),
        ({ overflow, ...some }, now, rttMs, link) => {
          const heartbeat = heartbeatOf({
            now,
            state: 'live',
            breaker: 'closed',
            stats: journalStats({ ...some, dropped: { overflow_oldest: overflow } }),
            rttMs,
            link: link && linkReportOf(link),
          });
          expect(heartbeatSchema.safeParse(heartbeat).error).toBeUndefined();
          // As it is for an HQ of protocol 2.
          expect(heartbeatSchema.safeParse(heartbeatFrom(leavesOf(heartbeat))).error).toBeUndefined();
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe('reports for heartbeats', () => {
  /** Facts that differ each time: bytes pass all the time. */
  const facts = (used: number, change: Partial<LinkFacts> = {}): LinkFacts => {
    const { budget } = factsOf(change);
    return factsOf({ ...change, budget: { ...budget, day: { ...budget.day, used } } });
  };

  it('are new with the first of a connection and every 30 s, and else as they were', () => {
    const reporter = createLinkReporter();
    const told = [0, 5, 10, 29, 30, 35, 60].map(
      (second) => reporter(facts(second), second * 1_000).bytesToday,
    );
    expect(told).toEqual([0, 0, 0, 0, 30, 30, 60]);
    expect(reporter(facts(61, { uplink: { ...UPLINK, connection: 2 } }), 61_000).bytesToday).toBe(61);
  });

  it('are new at once after so many bytes that what they cost is nothing compared with them', () => {
    const reporter = createLinkReporter();
    const told = [0, 5_000, 60_000, 65_536, 70_000, 2_233_136].map(
      (bytes, second) => reporter(facts(bytes), second * 1_000).bytesToday,
    );
    expect(told).toEqual([0, 0, 0, 65_536, 65_536, 2_233_136]);
    // A new day.
    expect(reporter(facts(10), 6_000).bytesToday).toBe(10);
  });

  it('are new at once when something waits, and when it no longer does', () => {
    const reporter = createLinkReporter();
    const { budget } = factsOf();
    const waiting: Partial<LinkFacts> = {
      budget: { ...budget, phase: 'reserve', why: 'budget_day', until: 5 },
    };
    reporter(facts(0), 0);
    expect(reporter(facts(1, waiting), 1)).toMatchObject({
      bytesToday: 1,
      paused: 'budget_day',
      pausedUntil: 5,
    });
    expect(reporter(facts(2, waiting), 2).bytesToday).toBe(1);
    expect(reporter(facts(3), 3)).toMatchObject({ bytesToday: 3 });
    expect(reporter(facts(4), 4)).not.toHaveProperty('paused');
  });

  it('are as they were while backlog is held back, until that changes', () => {
    const reporter = createLinkReporter();
    const { budget } = factsOf();
    const held = (until: number): Partial<LinkFacts> => ({
      uplink: { ...UPLINK, behind: true },
      forecast: { kind: 'never' },
      budget: { ...budget, phase: 'live_only', why: 'window', until },
    });
    const told = [0, 5, 10, 30, 35].map((at) => reporter(facts(at, held(9)), at * 1_000).bytesToday);
    expect(told).toEqual([0, 0, 0, 30, 30]);
    expect(reporter(facts(36, held(10)), 36_000)).toMatchObject({ bytesToday: 36, pausedUntil: 10 });
    const refused = { uplink: { ...UPLINK, behind: true, paused: 'unavailable' as const } };
    expect(reporter(facts(37, refused), 37_000)).toMatchObject({ bytesToday: 37, paused: 'unavailable' });
    expect(reporter(facts(38, refused), 38_000).bytesToday).toBe(37);
  });

  it('are always new while there is backlog that goes', () => {
    const reporter = createLinkReporter();
    const behind = { uplink: { ...UPLINK, behind: true } };
    expect([0, 1, 2].map((at) => reporter(facts(at, behind), at).bytesToday)).toEqual([0, 1, 2]);
  });
});
