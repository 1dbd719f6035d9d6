/** The reliability stack of frames: `src/delivery` with the settings of the uplink and the verdicts of HQ. */
import type { SchedulerLike } from 'rxjs';
import { createReliability, type Reliability } from '../../delivery/reliability.ts';
import type { Random } from '../../platform/random.ts';
import type { Lane } from '../../protocol/events.ts';
import { judgeFrame } from './frame-verdict.ts';
import { LinkError } from './link.ts';

export type FrameReliability = Reliability<Lane>;

export type FrameReliabilityOptions = {
  readonly settings: {
    /** ms; shorter than `breakerOpenMs`. */
    readonly ackTimeoutMs: number;
    readonly breakerFailures: number;
    /** ms */
    readonly breakerOpenMs: number;
    readonly breakerProbes: number;
    /** ms */
    readonly backoffInitialMs: number;
    /** ms */
    readonly backoffMaxMs: number;
  };
  readonly scheduler: SchedulerLike;
  readonly random: Random;
};

/** Pauses between tries on an open connection need not grow as far as those between connections, ms. */
const MAX_PAUSE_MS = 5_000;

export function createFrameReliability({
  settings,
  scheduler,
  random,
}: FrameReliabilityOptions): FrameReliability {
  const { backoffInitialMs: initialMs, backoffMaxMs } = settings;
  return createReliability<Lane>({
    judge: judgeFrame,
    deadline: {
      ackTimeoutMs: settings.ackTimeoutMs,
      silence: (ms) => new LinkError('timeout', `HQ did not confirm a frame within ${ms} ms.`),
    },
    breaker: {
      failuresToOpen: settings.breakerFailures,
      openMs: settings.breakerOpenMs,
      halfOpenProbes: settings.breakerProbes,
    },
    pause: { initialMs, maxMs: Math.max(initialMs, Math.min(backoffMaxMs, MAX_PAUSE_MS)) },
    scheduler,
    random,
  });
}
