/**
 * What is half open: a request, a join or a hello whose bytes have not all arrived. It may take any time while bytes
 * come, but it costs HQ memory and a connection, so:
 *
 * - one from which nothing has come for `silenceMs` is cut;
 * - one that is older than that and came slower than `leastBytesPerSecond` on average is cut;
 * - beyond `max` at once the slowest is cut for each that comes. One that has only begun counts as five seconds old, so
 *   that many who only begin do not drive out those who make progress.
 */
import type { Clock } from '../platform/clock.ts';

export type CutReason = 'silent' | 'too slow' | 'too many';

export type HalfOpenOptions = {
  readonly silenceMs: number;
  readonly leastBytesPerSecond: number;
  readonly max: number;
  readonly clock: Pick<Clock, 'precise'>;
  /** Told when it has changed how many there are. */
  readonly onCount?: (count: number) => void;
};

export type Pending = {
  /** Bytes of its present connection. A smaller number than before is that of another connection. */
  readonly received: () => number;
  readonly cut: (reason: CutReason) => void;
};

export type HalfOpen = {
  /** Returns what ends it: all has arrived, or it is gone. */
  readonly begin: (pending: Pending) => () => void;
  /** To be called about once a second. */
  readonly sweep: () => void;
};

type Entry = Pending & {
  readonly since: number;
  /** When `bytes` last grew. */
  heardAt: number;
  seen: number;
  bytes: number;
};

const LEAST_AGE_MS = 5_000;

export function createHalfOpen(options: HalfOpenOptions): HalfOpen {
  const { silenceMs, leastBytesPerSecond, max, clock, onCount } = options;
  const entries = new Set<Entry>();
  let told = 0;

  const tell = () => {
    if (entries.size === told) return;
    told = entries.size;
    onCount?.(told);
  };
  const look = (entry: Entry, now: number) => {
    const seen = entry.received();
    const more = seen >= entry.seen ? seen - entry.seen : seen;
    entry.seen = seen;
    if (more === 0) return;
    entry.bytes += more;
    entry.heardAt = now;
  };
  const cut = (entry: Entry, reason: CutReason) => {
    entries.delete(entry);
    entry.cut(reason);
  };
  const speed = (entry: Entry, now: number) => entry.bytes / Math.max(LEAST_AGE_MS, now - entry.since);
  const makeRoom = (newest: Entry, now: number) => {
    let slowest: Entry | null = null;
    for (const entry of entries) {
      if (entry === newest) continue;
      look(entry, now);
      if (slowest === null || speed(entry, now) < speed(slowest, now)) slowest = entry;
    }
    if (slowest !== null) cut(slowest, 'too many');
  };

  return {
    begin: (pending) => {
      const now = clock.precise();
      const entry: Entry = { ...pending, since: now, heardAt: now, seen: pending.received(), bytes: 0 };
      entries.add(entry);
      if (entries.size > max) makeRoom(entry, now);
      tell();
      return () => {
        entries.delete(entry);
        tell();
      };
    },
    sweep: () => {
      const now = clock.precise();
      for (const entry of entries) {
        look(entry, now);
        const ageMs = now - entry.since;
        if (now - entry.heardAt > silenceMs) cut(entry, 'silent');
        else if (ageMs > silenceMs && (entry.bytes / ageMs) * 1000 < leastBytesPerSecond)
          cut(entry, 'too slow');
      }
      tell();
    },
  };
}
