import type { JournalStats } from '../../journal/port.ts';
import type { AgentState, BreakerStateName, Heartbeat, LinkReport } from '../../protocol/events.ts';
import { countOf, estimateOf } from '../../protocol/figures.ts';

export type HeartbeatInput = {
  /** Wall time, ms. */
  readonly now: number;
  readonly state: AgentState;
  readonly breaker: BreakerStateName;
  readonly stats: JournalStats;
  /** ms; null before the first ack. */
  readonly rttMs: number | null;
  /** Null: HQ knows what it needs. */
  readonly link: LinkReport | null;
};

/** Age of the oldest sample that HQ has not confirmed, ms; 0 when none, or when the clock went back behind it. */
export function lagOf(stats: JournalStats, now: number): number {
  return stats.oldestPendingTs === null ? 0 : Math.max(0, now - stats.oldestPendingTs);
}

/** Bytes of what HQ has not acked: of a frame of which it has a part, as much as samples of it are left. */
export function unackedBytesOf({
  pendingBytes,
  pending,
  frameSamples,
}: Pick<JournalStats, 'pendingBytes' | 'pending' | 'frameSamples'>): number {
  // There may be gaps and nothing else.
  return frameSamples === 0 ? pendingBytes : Math.round((pendingBytes * pending) / frameSamples);
}

export function heartbeatOf({ now, state, breaker, stats, rttMs, link }: HeartbeatInput): Heartbeat {
  const { sampled, released, pending, thinned, disk } = stats;
  return {
    ts: now,
    state,
    breaker,
    sampled,
    released,
    pending: countOf(pending),
    pendingBytes: countOf(unackedBytesOf(stats)),
    thinned: countOf(thinned),
    disk,
    dropped: Object.fromEntries(
      Object.entries(stats.dropped)
        .map(([reason, count]) => [reason, countOf(count)] as const)
        .filter(([, count]) => count > 0),
    ),
    lagMs: estimateOf(lagOf(stats, now)) ?? 0,
    rttMs: estimateOf(rttMs),
    ...(link !== null && { link }),
  };
}
