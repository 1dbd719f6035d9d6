import { backoff } from '../../streams/backoff.ts';
import type { UplinkSettings } from './state.ts';

/** Of `backoffMaxMs`, what a wait may take; the rest is for connecting, hello and the first live frame. */
const WAIT_SHARE = 0.9;

export type ReconnectWaitOptions = {
  readonly settings: Pick<UplinkSettings, 'backoffInitialMs' | 'backoffMaxMs'>;
  /** Connections that failed in a row before this one. */
  readonly attempt: number;
  /** In [0, 1). */
  readonly jitter: number;
  /** Whether the failure is one that haste does not mend: the wait is then one of the longer half. */
  readonly slow: boolean;
  /** Upper bound for a way that has worked, ms: HQ's hint; null: no connection has worked yet, or HQ gave no hint. */
  readonly reconnectMs: number | null;
  /** How long the attempt took that has failed, ms; 0: it was no attempt, but a connection that ended. */
  readonly tookMs: number;
};

/**
 * How long to wait before the next connection, whole ms: full jitter below a ceiling that starts at `backoffInitialMs`
 * and doubles with each attempt.
 *
 * `backoffMaxMs` bounds the time until an agent is back, connecting included: of thousands that wait, the last draws
 * almost the whole ceiling, and must be live within that time too.
 */
export function reconnectWaitMs({
  settings,
  attempt,
  jitter,
  slow,
  reconnectMs,
  tookMs,
}: ReconnectWaitOptions): number {
  const maxMs = settings.backoffMaxMs * WAIT_SHARE;
  if (slow) return Math.round(maxMs * (0.5 + jitter / 2));
  // A way that has worked may be there for seconds only: it is tried all the time, at the pace that HQ can bear from
  // all its agents. That pace is one of attempts, from the start of one to the start of the next.
  if (reconnectMs !== null) return Math.round(Math.max(0, jitter * Math.min(maxMs, reconnectMs) - tookMs));
  const initialMs = Math.min(settings.backoffInitialMs, maxMs);
  let step = backoff({ initialMs, maxMs, jitter: 'full' }, { next: () => jitter });
  for (let count = 0; count < Math.min(attempt, 32); count += 1) step = step.next();
  return step.delayMs;
}
