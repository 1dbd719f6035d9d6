/** The estimate of a link and the window that follows from it, over virtual links with a backlog that never ends. */
import { describe, expect, it } from 'vitest';
import { allowedBy } from '../../src/agent/uplink/allowed.ts';
import {
  type EstimateEvent,
  type LinkEstimate,
  NEW_ESTIMATE,
  nextEstimate,
  rateOf,
} from '../../src/agent/uplink/link-estimate.ts';
import { leastFrameBytes, transmitMs, windowOf } from '../../src/agent/uplink/link-window.ts';
import { OPEN_GATE } from '../../src/agent/uplink/metering/gate.ts';
import { onTheWire, payloadWithin } from '../../src/agent/uplink/wire-bytes.ts';
import { createVirtualLink, type VirtualLinkOptions } from './virtual-link.ts';

const TARGET_MS = 250;
const LIVE_BYTES = 90;
/** Live frames gather on a link that needs long for one: they take a quarter of it at most. */
const liveOn = (rate: number) => ({
  everyMs: Math.max(1_000, (4 * onTheWire(LIVE_BYTES)) / rate),
  bytes: LIVE_BYTES,
});
const LIVE = liveOn(Number.POSITIVE_INFINITY);
/** Bytes per ms, and the round trip, ms. */
const LINKS = [
  ['2.4 kbit/s', 0.3, 1_500],
  ['9.6 kbit/s', 1.2, 1_200],
  ['64 kbit/s', 8, 600],
  ['256 kbit/s', 32, 600],
  ['2 Mbit/s', 250, 50],
  ['100 Mbit/s', 12_500, 20],
  ['a LAN', 100_000, 3],
] as const;

/** A link that has been filled for a while. */
function filled(options: VirtualLinkOptions, roundTrips = 60) {
  const link = createVirtualLink(options);
  link.gauge.probed({ bytes: 450, ms: options.roundTripMs + onTheWire(450) / options.rate });
  link.setBacklog(true);
  link.run(options.roundTripMs * roundTrips, liveOn(options.rate));
  return link;
}

describe('a constant link', () => {
  it.each(LINKS)('of %s is filled, and hardly more', (_name, rate, roundTripMs) => {
    const link = filled({ rate, roundTripMs });
    const { use } = link.run(roundTripMs * 60, liveOn(rate));
    expect(use).toBeGreaterThan(0.85);
    expect(link.gauge.window().rate).toBeGreaterThan(rate * 0.7);
    expect(link.gauge.window().rate).toBeLessThan(rate * 1.05);
    const { least } = link.gauge.estimate();
    // Of what is small, its own transmission included.
    expect(least?.ms).toBeGreaterThanOrEqual(roundTripMs);
    expect(least?.ms).toBeLessThanOrEqual((roundTripMs + onTheWire(LIVE_BYTES) / rate) * 1.4 + 1);
  });

  it.each(LINKS)('of %s holds no more than the window, once it is known', (_name, rate, roundTripMs) => {
    const link = filled({ rate, roundTripMs });
    for (let step = 0; step < 200; step += 1) {
      link.run(Math.max(1, roundTripMs / 10), liveOn(rate));
      const { phase } = link.gauge.estimate();
      if (phase.kind !== 'steady') continue;
      const spare = Math.max(TARGET_MS * rate, 2 * onTheWire(leastFrameBytes(rate)));
      const least = link.gauge.estimate().least?.ms ?? 0;
      expect(link.backlogInFlightBytes()).toBeLessThanOrEqual(rate * least * 1.05 + spare * 1.6);
    }
  });

  it.each([
    ['64 kbit/s', 8, 600],
    ['256 kbit/s', 32, 600],
    ['1 Mbit/s', 125, 600],
  ])('of %s is filled from the hello on without a long queue', (_name, rate, roundTripMs) => {
    const link = createVirtualLink({ rate, roundTripMs });
    const [join, hello] = [80, 450].map((bytes) => ({ bytes, ms: roundTripMs + onTheWire(bytes) / rate }));
    if (join === undefined || hello === undefined) throw new Error('no round trips');
    link.gauge.probed(hello, join);
    link.setBacklog(true);
    expect(link.run(15_000, LIVE).worstQueueMs).toBeLessThan(2 * TARGET_MS);
    expect(link.run(15_000, LIVE).use).toBeGreaterThan(0.9);
  });

  it.each([
    [8, 600, 0, 4],
    [8, 600, 400, 7],
    [32, 600, 0, 6],
    [32, 600, 400, 10],
    [125, 600, 0, 8],
    [125, 600, 400, 11],
  ])(
    'of %d bytes per ms over %d ms, whose hello took %d ms longer, is known within %d round trips',
    (rate, roundTripMs, heldUpMs, roundTrips) => {
      const link = createVirtualLink({ rate, roundTripMs });
      const [join, hello] = [80, 450].map((bytes) => ({ bytes, ms: roundTripMs + onTheWire(bytes) / rate }));
      if (join === undefined || hello === undefined) throw new Error('no round trips');
      link.gauge.probed({ ...hello, ms: hello.ms + heldUpMs }, join);
      link.setBacklog(true);
      link.run(roundTripMs * roundTrips, LIVE);
      expect(link.gauge.window().rate).toBeGreaterThan(0.8 * rate);
      expect(link.gauge.window().rate).toBeLessThan(1.05 * rate);
      expect(link.run(15_000, LIVE).worstLiveQueueMs).toBeLessThan(2 * TARGET_MS);
    },
  );

  it('that was never filled has only a lower bound of its rate, and no linger', () => {
    const link = createVirtualLink({ rate: 32, roundTripMs: 600 });
    link.run(60_000, LIVE);
    expect(link.gauge.window().isMeasured).toBe(false);
    expect(transmitMs(link.gauge.window(), 90)).toBe(0);
  });
});

describe('a link that changes', () => {
  it.each([
    [8, 600],
    [32, 600],
    [250, 50],
    [1.2, 1_200],
  ])('becomes twenty times faster, from %d bytes per ms over %d ms: followed', (rate, roundTripMs) => {
    const link = filled({ rate, roundTripMs });
    link.link.rate = rate * 20;
    link.run(roundTripMs * 14, LIVE);
    expect(link.gauge.window().rate).toBeGreaterThan(rate * 20 * 0.7);
  });

  it.each([
    [8, 600],
    [32, 600],
    [250, 50],
  ])(
    'becomes four times slower, from %d bytes per ms over %d ms: nothing is sent until it fits',
    (rate, roundTripMs) => {
      const link = filled({ rate, roundTripMs });
      link.link.rate = rate / 4;
      // What was in flight drains first.
      const drainMs = (link.inFlightBytes() / link.link.rate) * 2 + roundTripMs * 6;
      link.run(drainMs, LIVE);
      expect(link.gauge.window().rate).toBeLessThan((rate / 4) * 1.2);
      const { worstQueueMs } = link.run(20 * roundTripMs, LIVE);
      expect(worstQueueMs).toBeLessThan(4 * TARGET_MS);
    },
  );

  it.each([0, 50, 250, 300, 500])(
    'gets a longer way: its rate stays, and its round trip is seen again (%d ms later)',
    (later) => {
      const link = filled({ rate: 32, roundTripMs: 300 });
      link.run(later, LIVE);
      link.link.roundTripMs = 900;
      link.run(60_000, LIVE);
      expect(link.gauge.estimate().least?.ms).toBeGreaterThan(800);
      expect(link.run(30_000, LIVE).use).toBeGreaterThan(0.75);
    },
  );

  it('stands still: what is in flight is all that is sent, and the rate falls while no answer comes', () => {
    const link = filled({ rate: 32, roundTripMs: 600 });
    const before = link.gauge.window();
    link.link.rate = 0.001;
    link.run(20_000);
    expect(link.gauge.window().rate).toBeLessThan((before.rate ?? 0) / 10);
    expect(link.inFlightBytes()).toBeLessThan(4 * before.bytes);
  });
});

describe('a link that is not smooth', () => {
  it('with jitter stays filled', () => {
    const link = filled({ rate: 32, roundTripMs: 300, jitterMs: (answer) => (answer * 37) % 80 });
    expect(link.run(30_000, LIVE).use).toBeGreaterThan(0.8);
  });

  it.each(LINKS)(
    'of %s whose HQ stands still now and then is not taken for a slower one',
    (_name, rate, roundTripMs) => {
      // All that was held up is answered at once.
      const stalls = (at: number) => Math.max(0, 300 - (at % 5_000));
      const link = filled({ rate, roundTripMs, jitterMs: (_answer, at) => stalls(at) });
      expect(link.run(60_000, liveOn(rate)).use).toBeGreaterThan(0.8);
      expect(link.gauge.window().rate).toBeGreaterThan(rate * 0.8);
    },
  );

  it.each([
    ['9.6 kbit/s', 1.2, 1_200],
    ['64 kbit/s', 8, 600],
    ['256 kbit/s', 32, 600],
  ])('of %s is looked at again without a queue afterwards', (_name, rate, roundTripMs) => {
    const link = filled({ rate, roundTripMs });
    const { worstQueueMs } = link.run(120_000, liveOn(rate));
    const frameMs = onTheWire(leastFrameBytes(rate)) / rate;
    expect(worstQueueMs).toBeLessThan(Math.max(1.1 * TARGET_MS + frameMs, 2 * frameMs));
  });

  it('of 2 Mbit/s holds up live frames for the queue target at most, although its rate seems to rise now and then', () => {
    const stalls = (at: number) => Math.max(0, 700 - (at % 1_700));
    const jitterMs = (answer: number, at: number) => ((answer * 37) % 60) + stalls(at);
    const link = filled({ rate: 250, roundTripMs: 50, jitterMs });
    expect(link.run(120_000, LIVE).worstQueueMs).toBeLessThan(1.2 * TARGET_MS);
  });

  it('short and fast has two frames in flight', () => {
    const link = filled({ rate: 250, roundTripMs: 50 });
    const { bytes, pieceBytes } = link.gauge.window();
    // Each may be a twentieth larger than it should be.
    expect(2 * onTheWire(1.05 * pieceBytes)).toBeLessThanOrEqual(bytes);
  });

  it('that loses answers goes on, and does not take the loss for a slower link', () => {
    const link = filled({ rate: 32, roundTripMs: 300, isLost: (answer) => answer % 10 === 0 });
    expect(link.run(30_000, LIVE).use).toBeGreaterThan(0.75);
  });

  it('keeps its rate while there is nothing to be sent', () => {
    const link = filled({ rate: 32, roundTripMs: 600 });
    link.setBacklog(false);
    link.run(120_000, LIVE);
    expect(link.gauge.window().rate).toBeGreaterThan(32 * 0.7);
    expect(link.gauge.window().isMeasured).toBe(true);
  });

  it('is believed by half after a new connection', () => {
    const link = filled({ rate: 32, roundTripMs: 600 });
    const rate = link.gauge.window().rate ?? 0;
    link.gauge.connected();
    expect(link.gauge.window().rate).toBeCloseTo(rate / 2, 5);
    expect(link.gauge.window().isMeasured).toBe(false);
  });
});

describe('odd events', () => {
  const options = { queueTargetMs: TARGET_MS };

  it('an answer to nothing, or a second one, changes nothing', () => {
    expect(nextEstimate(NEW_ESTIMATE, { type: 'answered', id: 7, at: 5 }, options)).toBe(NEW_ESTIMATE);
    expect(nextEstimate(NEW_ESTIMATE, { type: 'abandoned', id: 7 }, options)).toBe(NEW_ESTIMATE);
  });

  it('a clock that goes back, or stands still, gives no rate that is not a number', () => {
    const sent = { type: 'sent', id: 1, bytes: 500, window: 1_000, at: 1_000 } as const;
    for (const at of [1_000, 400]) {
      const flying = nextEstimate(NEW_ESTIMATE, sent, options);
      const after = nextEstimate(flying, { type: 'answered', id: 1, at }, options);
      const window = windowOf(after, {
        ...options,
        maxFrames: 8,
        now: at,
        pacedUntil: 0,
        allowed: allowedBy(OPEN_GATE),
      });
      expect(Number.isFinite(window.bytes)).toBe(true);
      expect(window.bytes).toBeGreaterThan(0);
      expect(window.pieceBytes).toBeGreaterThan(0);
    }
  });

  it('what a payload takes of the link and the reverse agree', () => {
    for (const wire of [100, 500, 1_466, 1_467, 5_000, 300_000])
      expect(onTheWire(payloadWithin(wire))).toBeLessThanOrEqual(wire + 52);
  });
});

describe('what a larger frame took longer', () => {
  const options = { queueTargetMs: TARGET_MS };
  const next = (estimate: LinkEstimate, event: EstimateEvent) => nextEstimate(estimate, event, options);
  /** After a small round trip of 600 ms: the rate once frames of 1,000 bytes, one by one, took so long. */
  function rateAfter(trips: readonly number[], start: Partial<LinkEstimate> = {}): number {
    const probe = { type: 'probed', trip: { bytes: 200, ms: 600 }, at: 600 } as const;
    let estimate: LinkEstimate = { ...next(NEW_ESTIMATE, probe), roundRate: 1, ...start };
    let at = 600;
    for (const [id, ms] of trips.entries()) {
      estimate = next(estimate, { type: 'sent', id, bytes: 1_000, window: 1_000, at });
      at += ms;
      estimate = next(estimate, { type: 'answered', id, at });
    }
    return rateOf(estimate) ?? 0;
  }

  it('tells the rate once two have told so', () => {
    expect(rateAfter([700])).toBeLessThan(1_000 / 700 + 0.01);
    // 800 bytes in 100 ms, and what round trips differ by anyway.
    expect(rateAfter([700, 700])).toBeCloseTo(800 / 130, 5);
    expect(rateAfter([700, 900])).toBeCloseTo(800 / 330, 5);
  });

  it('is believed up to eight times the rate', () => {
    // 800 bytes in what round trips differ by anyway would be 27.
    expect(rateAfter([600.1, 600.1])).toBeCloseTo((8 * 1_000) / 600.1, 5);
  });

  it('says nothing where it took no longer, or the link has been filled', () => {
    expect(rateAfter([600, 600, 600])).toBeLessThan(1_000 / 600 + 0.01);
    expect(rateAfter([700, 700], { phase: { kind: 'steady' } })).toBeLessThan(1_000 / 700 + 0.01);
  });
});

describe('answers that are late by more than two targets', () => {
  /**
   * Eight frames of 1,000 bytes on a link of 8 bytes a ms and 600 ms, after it has been filled; when the answers come,
   * ms from the first.
   */
  function rateAfter(answersAt: (index: number) => number): number {
    const link = filled({ rate: 8, roundTripMs: 600 });
    const before = link.gauge.estimate();
    const at = link.now();
    const next = (estimate: LinkEstimate, event: EstimateEvent) =>
      nextEstimate(estimate, event, { queueTargetMs: TARGET_MS });
    let estimate: LinkEstimate = { ...before, flights: new Map(), inFlightBytes: 0 };
    for (let id = 1; id <= 8; id += 1)
      estimate = next(estimate, { type: 'sent', id: 1_000_000 + id, bytes: 1_000, window: 8_000, at });
    // Frames that did not fill the window say nothing of its rate.
    estimate = {
      ...estimate,
      flights: new Map([...estimate.flights].map(([id, one]) => [id, { ...one, isLimited: false }])),
    };
    for (let id = 1; id <= 8; id += 1)
      estimate = next(estimate, { type: 'answered', id: 1_000_000 + id, at: at + 2_200 + answersAt(id - 1) });
    return rateOf(estimate) ?? 0;
  }

  it('all at once were held up elsewhere: the rate stays', () => {
    expect(rateAfter(() => 0)).toBeGreaterThan(7);
  });

  it('one after the other, slower than the rate, met a slower link', () => {
    expect(rateAfter((index) => index * 1_000)).toBeLessThan(2);
  });
});
