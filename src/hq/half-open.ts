/**
 * What is half open: a request, a join or a hello whose bytes have not all arrived. It may take any time while bytes
 * come, but it costs HQ memory and a connection, so:
 *
 * - one from which nothing has come for `silenceMs` is cut;
 * - one that is older than that and came slower than `leastBytesPerSecond` on average is cut;
 * - beyond `max` at once the slowest is cut for each that comes, and beyond half of them from one address the slowest
 *   of that address, so that one machine cannot take the room of all. One that has only begun counts as five seconds
 *   old, so that many who only begin do not drive out those who make progress;
 * - where `mostBytes` is given, one that has sent more without having arrived is cut.
 */
import type { Clock } from '../platform/clock.ts';
import { networkOf } from './network-of.ts';

/** Code of the error of a request that is given up, as Node's own limit of time has it. */
export const SLOW_REQUEST = 'ERR_HTTP_REQUEST_TIMEOUT';

export type CutReason = 'silent' | 'too slow' | 'too many' | 'too much';

export type HalfOpenOptions = {
  readonly silenceMs: number;
  readonly leastBytesPerSecond: number;
  readonly max: number;
  /** Bytes that none of them needs. Default: no bound. */
  readonly mostBytes?: number;
  readonly clock: Pick<Clock, 'precise'>;
  /** Told when it has changed how many there are. */
  readonly onCount?: (count: number) => void;
};

export type Pending = {
  /** IP address of the client. */
  readonly address: string;
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
  readonly network: string;
  readonly since: number;
  /** When `bytes` last grew. */
  heardAt: number;
  seen: number;
  bytes: number;
};

const LEAST_AGE_MS = 5_000;
/** Of `max`, that one address may have. */
const ADDRESS_SHARE = 0.5;

export function createHalfOpen(options: HalfOpenOptions): HalfOpen {
  const {
    silenceMs,
    leastBytesPerSecond,
    max,
    clock,
    onCount,
    mostBytes = Number.POSITIVE_INFINITY,
  } = options;
  const entries = new Set<Entry>();
  const byNetwork = new Map<string, Set<Entry>>();
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
  const forget = (entry: Entry) => {
    entries.delete(entry);
    const mine = byNetwork.get(entry.network);
    mine?.delete(entry);
    if (mine?.size === 0) byNetwork.delete(entry.network);
  };
  const cut = (entry: Entry, reason: CutReason) => {
    forget(entry);
    entry.cut(reason);
  };
  const speed = (entry: Entry, now: number) => entry.bytes / Math.max(LEAST_AGE_MS, now - entry.since);
  const makeRoom = (among: ReadonlySet<Entry>, newest: Entry, now: number) => {
    let slowest: Entry | null = null;
    for (const entry of among) {
      if (entry === newest) continue;
      look(entry, now);
      if (slowest === null || speed(entry, now) < speed(slowest, now)) slowest = entry;
    }
    if (slowest !== null) cut(slowest, 'too many');
  };

  return {
    begin: (pending) => {
      const now = clock.precise();
      const network = networkOf(pending.address);
      const seen = pending.received();
      const entry: Entry = { ...pending, network, since: now, heardAt: now, seen, bytes: 0 };
      entries.add(entry);
      const mine = byNetwork.get(network) ?? new Set();
      byNetwork.set(network, mine.add(entry));
      if (mine.size > max * ADDRESS_SHARE) makeRoom(mine, entry, now);
      else if (entries.size > max) makeRoom(entries, entry, now);
      tell();
      return () => {
        forget(entry);
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
        else if (entry.bytes > mostBytes) cut(entry, 'too much');
      }
      tell();
    },
  };
}
