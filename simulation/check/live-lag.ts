/**
 * After healing, the present is seen at once: a sample is at HQ within a time that its line explains, from some seconds
 * after its agent was let in again.
 */
import { covers } from '../../src/protocol/coverage.ts';
import type { LineShape } from '../kernel/line-shape.ts';
import type { Timeline } from '../kernel/timeline.ts';
import { type AgentSettings, sampledRate } from '../world/settings.ts';
import type { Subject } from './check-world.ts';
import type { HqTruth } from './hq-truth.ts';
import type { Violations } from './violations.ts';

const LAG_MS = 2_000;
const SETTLE_MS = 5_000;
const SETTLE_ROUND_TRIPS = 8;
/** Two backlog frames of the least size that slow lines have, a heartbeat, and what is sampled meanwhile. */
const AHEAD_BYTES = 2_000;
const SLOW_LAG_MS = 1_000;
const SETTLE_BYTES = 8_000;
/** A line that carries less than this many times what is measured says nothing about the order in which things go. */
const LEAST_HEADROOM = 2.5;
const COMMIT_AIM_MS = 1_000;

export type LiveWatchOptions = {
  readonly timeline: Pick<Timeline, 'now'>;
  readonly subjects: readonly Subject[];
  readonly hq: HqTruth;
  readonly violations: Violations;
  /** The line of an agent as it is now. */
  readonly lineOf: (agent: string) => LineShape | undefined;
};

export function createLiveWatch(options: LiveWatchOptions): { readonly look: () => void } {
  const { timeline, subjects, hq, violations, lineOf } = options;
  // What a connection lost before the healing it finds out about by its ack timeout only.
  const knowsOfLossAt = new Map(
    subjects.map(({ agent, truth }) => [
      truth.agent,
      timeline.now() + agent.settings.config.uplink.ackTimeoutMs,
    ]),
  );
  const openSince = new Map<string, number>();
  const rates = new Map<string, number>();
  return {
    look: () => {
      const now = timeline.now();
      for (const { agent, truth } of subjects) {
        const running = agent.running();
        const status = running?.uplink.status();
        const open = status?.phase === 'online' && status.breaker === 'closed' && status.paused === null;
        const line = lineOf(truth.agent) ?? agent.settings.line;
        const rate = rates.get(truth.agent) ?? line.upRate;
        rates.set(truth.agent, line.upRate);
        const carries = rate === line.upRate && carriesLive(agent.settings, rate);
        if (running === null || !open || !carries) {
          openSince.delete(truth.agent);
          continue;
        }
        const since = openSince.get(truth.agent) ?? Math.max(now, knowsOfLossAt.get(truth.agent) ?? now);
        openSince.set(truth.agent, since);
        const { epoch } = running.journal;
        const due = now - lagBoundMs(line);
        const commit = truth.epochs.get(epoch)?.commits.findLast(({ at }) => at <= due);
        if (now - since < settleMs(line) || commit === undefined || commit.at < since) continue;
        if (!covers(hq.epoch(truth.idOf(epoch), epoch).ever, commit.seq, commit.seq)) {
          violations.report(
            'live_lag',
            `${truth.agent}: seq ${commit.seq} was committed ${Math.round(now - commit.at)} ms ago and is not at HQ`,
          );
        }
      }
    },
  };
}

/**
 * Whether the line has room for what is measured, and for all samples of one commit at once: else their frame is none
 * of the live lane.
 */
function carriesLive(settings: AgentSettings, rate: number): boolean {
  const sampled = sampledRate(settings);
  const { commitMs } = settings.config.journal;
  return rate >= LEAST_HEADROOM * sampled && (commitMs + settings.periodMs) * sampled <= rate * COMMIT_AIM_MS;
}

/** How late a sample may be at HQ: round trip, and the time that the line needs for what may be before it. */
function lagBoundMs({ delayMs, upRate }: LineShape): number {
  return (Number.isFinite(upRate) ? SLOW_LAG_MS : LAG_MS) + 2 * delayMs[1] + AHEAD_BYTES / upRate;
}

/** An estimate of the line needs a few answers. */
function settleMs({ delayMs, upRate }: LineShape): number {
  const roundTrips = Number.isFinite(upRate) ? SETTLE_ROUND_TRIPS * 2 * delayMs[1] : 0;
  return SETTLE_MS + roundTrips + SETTLE_BYTES / upRate;
}
