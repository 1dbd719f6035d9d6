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

/** Those of one address, or all of them, with who is the next to be cut while there are too many. */
type Scope = { readonly entries: Set<Entry>; ranking: Ranking | null };
type Ranking = {
  readonly at: number;
  /** The slowest last. */
  readonly ranked: { readonly entry: Entry; readonly speed: number }[];
  /** Begun since then, the newest last. */
  readonly fresh: Entry[];
};

const LEAST_AGE_MS = 5_000;
/** All are looked at once in so long at most: a stranger may begin thousands a second. */
const RANK_EVERY_MS = 100;
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
  const all: Scope = { entries: new Set(), ranking: null };
  const { entries } = all;
  const byNetwork = new Map<string, Scope>();
  let told = 0;

  const tell = () => {
    if (entries.size === told) return;
    told = entries.size;
    onCount?.(told);
  };
  const forget = (entry: Entry) => {
    entries.delete(entry);
    const mine = byNetwork.get(entry.network);
    mine?.entries.delete(entry);
    if (mine?.entries.size === 0) byNetwork.delete(entry.network);
  };
  const cut = (entry: Entry, reason: CutReason) => {
    forget(entry);
    entry.cut(reason);
  };
  const makeRoom = (scope: Scope, newest: Entry, now: number) => {
    const known = scope.ranking;
    if (known === null || (known.ranked.length === 0 && now - known.at >= RANK_EVERY_MS))
      scope.ranking = rank(scope.entries, newest, now);
    if (scope.ranking === null) return;
    // Where nobody is known to be slower, who comes has come too late.
    cut(slowestOf(scope.ranking, { entries, newest, now }) ?? newest, 'too many');
  };

  return {
    begin: (pending) => {
      const now = clock.precise();
      const network = networkOf(pending.address);
      const seen = pending.received();
      const entry: Entry = { ...pending, network, since: now, heardAt: now, seen, bytes: 0 };
      entries.add(entry);
      const mine = byNetwork.get(network) ?? { entries: new Set(), ranking: null };
      byNetwork.set(network, mine);
      mine.entries.add(entry);
      for (const { ranking } of [all, mine]) ranking?.fresh.push(entry);
      if (mine.entries.size > max * ADDRESS_SHARE) makeRoom(mine, entry, now);
      else if (entries.size > max) makeRoom(all, entry, now);
      tell();
      return () => {
        forget(entry);
        tell();
      };
    },
    sweep: () => {
      const now = clock.precise();
      all.ranking = null;
      for (const scope of byNetwork.values()) scope.ranking = null;
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

function look(entry: Entry, now: number): void {
  const seen = entry.received();
  const more = seen >= entry.seen ? seen - entry.seen : seen;
  entry.seen = seen;
  if (more === 0) return;
  entry.bytes += more;
  entry.heardAt = now;
}

function speedOf(entry: Entry, now: number): number {
  look(entry, now);
  return entry.bytes / Math.max(LEAST_AGE_MS, now - entry.since);
}

function rank(entries: ReadonlySet<Entry>, newest: Entry, now: number): Ranking {
  const ranked = [...entries]
    .filter((entry) => entry !== newest)
    .map((entry) => ({ entry, speed: speedOf(entry, now) }))
    .reverse()
    .sort((one, other) => other.speed - one.speed);
  return { at: now, ranked, fresh: [newest] };
}

type Among = { readonly entries: ReadonlySet<Entry>; readonly newest: Entry; readonly now: number };

/** The slowest, as far as it is known: one that has become faster since the ranking is passed over. */
function slowestOf({ ranked, fresh }: Ranking, { entries, newest, now }: Among): Entry | null {
  for (let last = ranked.at(-1); last !== undefined; last = ranked.at(-1)) {
    if (entries.has(last.entry) && speedOf(last.entry, now) <= last.speed) break;
    ranked.pop();
  }
  // Those that have begun since are slower only as long as they have sent nothing.
  for (let [oldest] = fresh; oldest !== undefined && oldest !== newest; [oldest] = fresh) {
    if (entries.has(oldest) && speedOf(oldest, now) === 0) break;
    fresh.shift();
  }
  const last = ranked.at(-1);
  if (fresh[0] !== newest && (last === undefined || last.speed > 0)) return fresh.shift() ?? null;
  return ranked.pop()?.entry ?? null;
}
