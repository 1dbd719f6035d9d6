/** What an agent says of its link: to HQ in heartbeats, and on its own pages. */
import type { LinkReport } from '../protocol/events.ts';
import { countOf, estimateOf, momentOf } from '../protocol/figures.ts';
import type { DrainForecast } from './uplink/drain-forecast.ts';
import type { BudgetStatus } from './uplink/metering/gate.ts';
import type { UplinkStatus } from './uplink/uplink-status.ts';

export type LinkFacts = {
  readonly uplink: Pick<UplinkStatus, 'paused' | 'live' | 'backlog' | 'behind' | 'link' | 'connection'>;
  readonly budget: BudgetStatus;
  readonly forecast: DrainForecast;
};

/** Between two reports of a link of which nothing much changes, ms. */
const REPORT_MS = 30_000;
/** A report is some 40 bytes: after so many others it goes at once. */
const REPORT_BYTES = 64 * 1_024;
const RATE_DIGITS = 3;

export function linkReportOf({ uplink, budget, forecast }: LinkFacts): LinkReport {
  const { link } = uplink;
  const left = [budget.day.left, budget.month.left].filter((bytes) => bytes !== null);
  // Where nothing but backlog may not go, something waits only if there is any.
  const waits = budget.phase !== 'live_only' || forecast.kind !== 'caught_up';
  const paused = uplink.paused ?? (waits ? budget.why : null);
  const rate = estimateOf(link?.rateBytesPerSecond ?? null);
  const until = momentOf(budget.until);
  return {
    rate: rate === null ? null : Number(rate.toPrecision(RATE_DIGITS)),
    minRttMs: rounded(link?.minRttMs ?? null),
    queueMs: rounded(link?.queueMs ?? null),
    bytesToday: countOf(budget.day.used),
    bytesMonth: countOf(budget.month.used),
    ...(left.length > 0 && { budgetLeft: countOf(Math.floor(Math.min(...left))) }),
    ...caughtUp(forecast),
    live: countOf(uplink.live),
    backlog: countOf(uplink.backlog),
    ...(paused !== null && { paused }),
    ...(paused !== null && paused === budget.why && until !== null && { pausedUntil: until }),
  };
}

function caughtUp(
  forecast: DrainForecast,
): Pick<LinkReport, 'caughtUpMs' | 'caughtUpLowMs' | 'caughtUpHighMs' | 'never'> {
  switch (forecast.kind) {
    case 'caught_up':
      return { caughtUpMs: 0 };
    case 'unknown':
      return { caughtUpMs: null };
    case 'never':
      return { never: true };
    case 'in': {
      const lowMs = rounded(forecast.lowMs);
      const highMs = rounded(forecast.highMs);
      return {
        caughtUpMs: rounded(forecast.ms),
        ...(lowMs !== null && { caughtUpLowMs: lowMs }),
        ...(highMs !== null && { caughtUpHighMs: highMs }),
      };
    }
  }
}

function rounded(ms: number | null): number | null {
  const estimate = estimateOf(ms);
  return estimate === null ? null : Math.round(estimate);
}

/**
 * Reports for heartbeats: a new one with the first of a connection, when something begins or ceases to wait, always
 * while backlog goes, after 64 KiB, when a day begins, else now and then: what is held back has nothing new to say. In
 * between the last one is said again: heartbeats carry what has changed, and figures change all the time. `at`:
 * monotonic, ms.
 */
export function createLinkReporter(): (facts: LinkFacts, at: number) => LinkReport {
  let before: { at: number; connection: number; report: LinkReport } | null = null;
  return (facts, at) => {
    const report = linkReportOf(facts);
    const { connection, behind } = facts.uplink;
    const carried = (report.bytesToday ?? 0) - (before?.report.bytesToday ?? 0);
    const due =
      before === null ||
      before.connection !== connection ||
      before.report.paused !== report.paused ||
      before.report.pausedUntil !== report.pausedUntil ||
      (behind && report.paused === undefined) ||
      at - before.at >= REPORT_MS ||
      carried >= REPORT_BYTES ||
      // A day has begun.
      carried < 0;
    if (!due && before !== null) return before.report;
    before = { at, connection, report };
    return report;
  };
}
