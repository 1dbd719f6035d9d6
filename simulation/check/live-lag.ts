/** After healing, the present is seen at once: a sample is at HQ within LAG_MS of its commit from SETTLE_MS after its agent was let in again. */
import { covers } from '../../src/protocol/coverage.ts';
import type { Timeline } from '../kernel/timeline.ts';
import type { Subject } from './check-world.ts';
import type { HqTruth } from './hq-truth.ts';
import type { Violations } from './violations.ts';

const LAG_MS = 2_000;
const SETTLE_MS = 5_000;

export type LiveWatchOptions = {
  readonly timeline: Pick<Timeline, 'now'>;
  readonly subjects: readonly Subject[];
  readonly hq: HqTruth;
  readonly violations: Violations;
  readonly usualDelayMs: readonly [number, number];
};

export function createLiveWatch(options: LiveWatchOptions): { readonly look: () => void } {
  const { timeline, subjects, hq, violations, usualDelayMs } = options;
  // What a connection lost before the healing it finds out about by its ack timeout only.
  const openSince = new Map(
    subjects.map(({ agent, truth }) => [
      truth.agent,
      timeline.now() + agent.settings.config.uplink.ackTimeoutMs,
    ]),
  );
  return {
    look: () => {
      const now = timeline.now();
      for (const { agent, truth } of subjects) {
        const running = agent.running();
        const status = running?.uplink.status();
        const open = status?.phase === 'online' && status.breaker === 'closed' && status.paused === null;
        if (running === null || !open) {
          openSince.delete(truth.agent);
          continue;
        }
        const since = openSince.get(truth.agent) ?? now;
        openSince.set(truth.agent, since);
        const { epoch } = running.journal;
        const due = now - LAG_MS - 2 * usualDelayMs[1];
        const commit = truth.epochs.get(epoch)?.commits.findLast(({ at }) => at <= due);
        if (now - since < SETTLE_MS || commit === undefined || commit.at < since) continue;
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
