/** An uplink behind a data budget that is nearly used up. */
import { EMPTY } from 'rxjs';
import { expect, it } from 'vitest';
import { createCalendar } from '../../src/agent/uplink/metering/calendar.ts';
import { createDataMeter } from '../../src/agent/uplink/metering/data-meter.ts';
import { createMeteredLink } from '../../src/agent/uplink/metering/metered-link.ts';
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
