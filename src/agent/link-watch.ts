/** Looks at the link once a second: forecasts the drain, and knows what to say of it. */
import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../platform/clock.ts';
import type { LinkReport } from '../protocol/events.ts';
import { CATCHING_UP_MS } from './agent-state.ts';
import { createLinkReporter, type LinkFacts } from './link-report.ts';
import { type DrainForecast, forecastOf, lookAtDrain, NOTHING_SEEN } from './uplink/drain-forecast.ts';
import { lagOf } from './uplink/heartbeat.ts';
import type { UplinkGate } from './uplink/metering/gate.ts';
import type { UplinkStatus } from './uplink/uplink.ts';

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
  const forecast = (): DrainForecast => {
    const { phase, behind } = uplink();
    // Without a connection nothing of the link is known.
    if (phase !== 'online') return { kind: 'unknown' };
    const isBehind = behind && lagOf(journal.stats(), clock.now()) > CATCHING_UP_MS;
    // What is measured while backlog waits says nothing of the time when it may go.
    if (isBehind && gate.status().why !== null) return { kind: 'unknown' };
    return forecastOf(seen, isBehind);
  };
  const facts = (): LinkFacts => ({ uplink: uplink(), budget: gate.status(), forecast: forecast() });
  return {
    look: () => {
      const { pendingBytes } = journal.stats();
      seen = lookAtDrain(seen, {
        at: clock.precise(),
        pendingBytes,
        connected: uplink().phase === 'online',
      });
    },
    forecast,
    facts,
    report: () => reporter(facts(), clock.precise()),
  };
}
