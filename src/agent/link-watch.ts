/** Looks at the link once a second: forecasts the drain, and knows what to say of it. */
import type { Journal } from '../journal/port.ts';
import type { Clock } from '../platform/clock.ts';
import type { LinkReport } from '../protocol/events.ts';
import { CATCHING_UP_MS } from './agent-state.ts';
import { createLinkReporter, type LinkFacts } from './link-report.ts';
import {
  type DrainForecast,
  type DrainLook,
  forecastOf,
  lookAtDrain,
  NOTHING_SEEN,
} from './uplink/drain-forecast.ts';
import { lagOf, unackedBytesOf } from './uplink/heartbeat.ts';
import type { UplinkGate } from './uplink/metering/gate.ts';
import type { UplinkStatus } from './uplink/uplink-status.ts';

export type LinkWatchOptions = {
  readonly journal: Pick<Journal, 'stats'>;
  readonly gate: Pick<UplinkGate, 'status'>;
  readonly uplink: () => UplinkStatus;
  readonly clock: Pick<Clock, 'now' | 'precise'>;
};

export type LinkWatch = {
  /** To be called every second. */
  readonly look: () => void;
  readonly forecast: () => DrainForecast;
  readonly facts: () => LinkFacts;
  /** For a heartbeat. */
  readonly report: () => LinkReport;
};

export function createLinkWatch({ journal, gate, uplink, clock }: LinkWatchOptions): LinkWatch {
  const reporter = createLinkReporter();
  let seen = NOTHING_SEEN;
  /** Nothing tells of a backlog without a connection but its age. */
  const isBehind = () => {
    const { phase, behind } = uplink();
    return (behind || phase !== 'online') && lagOf(journal.stats(), clock.now()) > CATCHING_UP_MS;
  };
  const linkNow = (): DrainLook['link'] => {
    if (!isBehind()) return 'caught_up';
    if (gate.status().why !== null) return 'held';
    return uplink().phase === 'online' ? 'connected' : 'outage';
  };
  const forecast = (): DrainForecast => {
    const link = linkNow();
    switch (link) {
      case 'caught_up':
        // Without a connection nobody knows.
        return uplink().phase === 'online' ? { kind: 'caught_up' } : { kind: 'unknown' };
      case 'held':
        // What was measured before says nothing of the time when backlog may go.
        return { kind: 'unknown' };
      default:
        return forecastOf(seen);
    }
  };
  const facts = (): LinkFacts => ({ uplink: uplink(), budget: gate.status(), forecast: forecast() });
  return {
    look: () => {
      const pendingBytes = unackedBytesOf(journal.stats());
      seen = lookAtDrain(seen, { at: clock.precise(), pendingBytes, link: linkNow() });
    },
    forecast,
    facts,
    report: () => reporter(facts(), clock.precise()),
  };
}
