import type { Random } from '../platform/random.ts';
import type { SupervisionOptions } from './actor.ts';

/** What a crash leads to. */
export type CrashVerdict =
  | { readonly kind: 'restart'; readonly attempt: number; readonly delayMs: number }
  | { readonly kind: 'escalate' };

export type Supervisor = {
  /** @param now ms of a monotonic clock */
  readonly crashed: (now: number) => CrashVerdict;
};

/**
 * Restart intensity as in Erlang/OTP's supervisors: up to `maxRestarts` within the last `windowMs`, then escalate.
 * The delay has full jitter and grows with the restarts in the window, so an actor that ran well for a window
 * starts small again.
 */
export function createSupervisor(options: SupervisionOptions, random: Random): Supervisor {
  const { maxRestarts, windowMs, initialDelayMs, maxDelayMs } = options;
  let restarts: readonly number[] = [];
  return {
    crashed: (now) => {
      restarts = restarts.filter((at) => now - at < windowMs);
      if (restarts.length >= maxRestarts) return { kind: 'escalate' };
      const ceilingMs = Math.min(maxDelayMs, initialDelayMs * 2 ** restarts.length);
      restarts = [...restarts, now];
      return {
        kind: 'restart',
        attempt: restarts.length,
        delayMs: Math.round(random.next() * ceilingMs),
      };
    },
  };
}
