/**
 * How many log lines one cause may have: a client that does one wrong thing a thousand times a second costs some lines
 * and a count.
 *
 * Within {@link WINDOW_MS} an event may be logged {@link PER_PEER} times about one peer and {@link PER_EVENT} times in
 * all. What comes beyond is counted, and the first line of the event in a later window says how many were left out.
 * Counters of metrics see all events: only lines are left out. Bound: {@link MAX_PEERS} peers are told apart.
 */

/** ms */
export const WINDOW_MS = 10_000;
export const PER_PEER = 20;
export const PER_EVENT = 200;
const MAX_PEERS = 1_000;

export type LineVerdict =
  | { readonly write: false }
  /** `leftOut`: lines of the same event since the last one that was written. */
  | { readonly write: true; readonly leftOut: number };

export type LineLimit = {
  /** `peer`: whom the line is about; null for ourselves. */
  readonly take: (event: string, peer: string | null) => LineVerdict;
  /** Lines that were left out so far. */
  readonly leftOut: () => number;
};

type EventCount = { lines: number; leftOut: number; since: number };

/** `now`: monotonic ms. */
export function createLineLimit(now: () => number): LineLimit {
  const events = new Map<string, EventCount>();
  let peers = new Map<string, number>();
  let peersSince = Number.NEGATIVE_INFINITY;
  let leftOut = 0;

  const countOf = (event: string, at: number): EventCount => {
    const known = events.get(event) ?? { lines: 0, leftOut: 0, since: at };
    if (at - known.since >= WINDOW_MS) Object.assign(known, { lines: 0, since: at });
    events.set(event, known);
    return known;
  };
  const linesAbout = (key: string, at: number): number => {
    if (at - peersSince >= WINDOW_MS) {
      peers = new Map();
      peersSince = at;
    }
    const mine = peers.has(key) || peers.size < MAX_PEERS ? key : '';
    const lines = (peers.get(mine) ?? 0) + 1;
    peers.set(mine, lines);
    return lines;
  };

  return {
    take: (event, peer) => {
      const at = now();
      const count = countOf(event, at);
      const tooMany = count.lines >= PER_EVENT || linesAbout(`${event} ${peer ?? ''}`, at) > PER_PEER;
      if (tooMany) {
        count.leftOut += 1;
        leftOut += 1;
        return { write: false };
      }
      const before = count.leftOut;
      count.lines += 1;
      count.leftOut = 0;
      return { write: true, leftOut: before };
    },
    leftOut: () => leftOut,
  };
}
