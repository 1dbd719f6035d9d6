/** An uplink behind a data budget that is nearly used up. */
import { EMPTY } from 'rxjs';
import { expect, it } from 'vitest';
import { createCalendar } from '../../src/agent/uplink/metering/calendar.ts';
import { createDataMeter } from '../../src/agent/uplink/metering/data-meter.ts';
import { createMeteredLink } from '../../src/agent/uplink/metering/metered-link.ts';
import { missingWithin } from '../../src/protocol/coverage.ts';
import { createRig, type Rig } from './uplink-rig.ts';

const DAY_BYTES = 100_000;

function rigWith(used: number, settings: Record<string, unknown>): Rig {
  return createRig(
    {
      metered: (link, clock) => {
        const meter = createDataMeter({
          settings: {
            maxBytesPerDay: DAY_BYTES,
            maxBytesPerMonth: 0,
            windows: [],
            calendar: createCalendar('UTC'),
          },
          clock,
          uptime: clock.mono,
          record: null,
          file: { write: () => EMPTY },
          onPhase: () => {},
          onWriteFailure: () => {},
        });
        meter.count({ bytes: used, live: 0, ms: 0 });
        return { link: createMeteredLink({ link, meter, clock }), gate: meter.gate };
      },
    },
    settings,
  );
}

it('ends for the budget once HQ knows why, not for silence, where a frame is held for longer than an ack may take', () => {
  const rig = rigWith(89_900, { ackTimeoutMs: 3_000, heartbeatMs: 20_000 });
  rig.start();
  rig.run(1_000);
  rig.append(100);
  rig.run(1_000);
  const { length } = rig.sent;
  expect(length).toBeGreaterThan(0);
  // The reserve has no room for it.
  rig.append(800, true);
  rig.run(15_000);
  expect(rig.logs('link_down')).toEqual([]);
  rig.run(15_000);
  expect(rig.sent).toHaveLength(length);
  expect(rig.logs('link_down')).toMatchObject([{ kind: 'budget', retryMs: 3_600_000 }]);
  expect(rig.heartbeats).toHaveLength(2);
  expect(rig.status()).toMatchObject({ breaker: 'closed', phase: 'waiting' });
});

/** Samples, each of them an anomaly. */
const WAITED = 40_000;

/** Connected after an outage that was full of anomalies; `everyMs`: between two fresh samples. */
function afterOutage(everyMs: number, ms: number): Rig {
  const rig = rigWith(0, {});
  for (let frame = 0; frame < WAITED; frame += 20) rig.append(20, true);
  rig.start();
  rig.run(1_000);
  for (let passed = 0; passed < ms; passed += everyMs) {
    rig.append(1);
    rig.run(everyMs);
  }
  return rig;
}

/** The virtual day ends then, ms. */
const DAY_END = 6_400_000;
const bytesOf = (rig: Rig, lane: 'live' | 'backlog') =>
  rig.sent.reduce((sum, one) => sum + (one.lane === lane ? one.bytes : 0), 0);

it('leaves anomalies that waited the reserve, where fresh samples need all the rest', () => {
  const rig = afterOutage(200, 1_200_000);
  expect(bytesOf(rig, 'live')).toBeGreaterThan(85_000);
  expect(bytesOf(rig, 'backlog')).toBeGreaterThan(1_000);
  expect(bytesOf(rig, 'backlog')).toBeLessThan(10_000);
  const firstLate = rig.sent.findIndex(({ lane }) => lane === 'backlog');
  expect(rig.sent.slice(firstLate).filter(({ lane, first }) => lane === 'live' && first > WAITED)).toEqual(
    [],
  );
});

it('gives anomalies that waited what fresh samples do not need, which go on for as long as their first rate said', () => {
  const rig = afterOutage(10_000, DAY_END - 10_000);
  expect(bytesOf(rig, 'backlog')).toBeGreaterThan(50_000);
  // At first the rate is that of half a minute: it was 6 % too low.
  const fresh = rig.journal.stats().sampled - WAITED;
  expect(missingWithin(rig.hq.coverage(), WAITED + 1, WAITED + Math.floor(0.9 * fresh))).toEqual([]);
});
