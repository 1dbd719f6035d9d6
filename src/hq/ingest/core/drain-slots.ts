/**
 * Who may drain a backlog now: agents that together take at most `slots` slots, the others wait in the order in which
 * they came. Pure.
 *
 * - An agent takes the part of a slot that it makes use of: its bytes of late, as a share of what one slot stands for,
 *   at least 1/64 and at most 1. One that has not been measured counts as a whole one. So 64 agents on slow links take
 *   one slot, not all of them.
 * - While HQ itself is what holds agents up, each counts as a whole one: else all of them would come in, each slow, and
 *   with ever smaller frames.
 * - What arrives after a turn has ended counts for that turn: on a link with a long round trip that may be all of it.
 * - A free slot goes at once to the agent that waits longest; an agent that leaves hands its slot on in the same call.
 * - While others wait, a turn ends after `turnMs`, or when the agent has sent nothing for `idleMs`; the agent goes to
 *   the end of the queue. No more turns end than make room for those that wait, the heaviest first. While nobody waits,
 *   turns have no end.
 * - In each turn at least as many of those that wait begin as there are slots. So with n agents that want a slot nobody
 *   waits longer than ⌈n / slots⌉ turns.
 * - An agent that becomes faster in its turn counts for more at once: until that turn ends more than `slots` may be
 *   taken.
 */
export type DrainSlotsOptions = {
  /** At least 1. */
  readonly slots: number;
  readonly turnMs: number;
  /** At most `turnMs`. */
  readonly idleMs: number;
  /** What one slot stands for. */
  readonly slotBytesPerSecond: number;
  /** Whether HQ answers so slowly that what an agent takes says nothing of its link. Default: never. */
  readonly isHqSlow?: () => boolean;
};

/** From now on the agent may drain, or may not. */
export type TurnChange = { readonly agent: string; readonly drains: boolean };

export type DrainSlots = {
  /** The agent has a backlog. It keeps the slot, or the place in the queue, that it has. */
  readonly want: (agent: string, nowMs: number) => readonly TurnChange[];
  /** It has none any more, or is gone. */
  readonly leave: (agent: string, nowMs: number) => readonly TurnChange[];
  /** So many bytes of its backlog have arrived. */
  readonly used: (agent: string, bytes: number, nowMs: number) => void;
  /** Ends the turns that are over. */
  readonly rotate: (nowMs: number) => readonly TurnChange[];
  readonly drains: (agent: string) => boolean;
  /** Those that drain, the longest turn first. */
  readonly draining: () => Iterable<string>;
  /** Slots that are taken, rounded up. */
  readonly taken: () => number;
  /** Agents that wait for one. */
  readonly waiting: () => number;
};

type Turn = {
  readonly since: number;
  usedAt: number;
  weight: number;
  /** The bytes of the present stretch of `turnMs`, and of the one before. */
  stretchAt: number;
  bytes: number;
  bytesBefore: number;
};

/** Of those that wait. */
type Place = {
  weight: number;
  /** Of the last turn, with what arrived since; null before the first. */
  bytes: number | null;
};

type Weighed = { readonly weight: number };

const LEAST_WEIGHT = 1 / 64;
/** Sums of weights are not exact. */
const EPSILON = 1e-9;

export function createDrainSlots(options: DrainSlotsOptions): DrainSlots {
  const { slots, turnMs, idleMs, isHqSlow = () => false } = options;
  const bytesATurn = (options.slotBytesPerSecond * turnMs) / 1000;
  // Both in the order of insertion: the longest turn and the longest wait come first.
  const turns = new Map<string, Turn>();
  const queue = new Map<string, Place>();

  const weightOf = ({ weight }: Weighed) => weight;
  /** What an agent counts for now. */
  const costOf = (one: Weighed) => (isHqSlow() ? 1 : one.weight);
  const sum = (all: Iterable<Weighed>, of: (one: Weighed) => number) =>
    [...all].reduce((total, one) => total + of(one), 0);
  const share = (bytes: number) => Math.min(1, Math.max(LEAST_WEIGHT, bytes / bytesATurn));
  const fill = (now: number): TurnChange[] => {
    const changes: TurnChange[] = [];
    let taken = sum(turns.values(), costOf);
    for (const [agent, place] of queue) {
      taken += costOf(place);
      if (taken > slots + EPSILON) break;
      const { weight } = place;
      queue.delete(agent);
      turns.set(agent, { since: now, usedAt: now, weight, stretchAt: now, bytes: 0, bytesBefore: 0 });
      changes.push({ agent, drains: true });
    }
    return changes;
  };
  const weigh = (now: number) => {
    for (const turn of turns.values()) {
      if (now - turn.stretchAt < turnMs) continue;
      // A slow agent's frames come one in several stretches.
      turn.weight = share(Math.max(turn.bytes, turn.bytesBefore));
      turn.bytesBefore = turn.bytes;
      turn.bytes = 0;
      turn.stretchAt = now;
    }
  };
  /** Turns that end so that there is room for those that wait. */
  const ending = (now: number): [string, Turn][] => {
    let missing = sum(queue.values(), costOf) - (slots - sum(turns.values(), costOf));
    const over = [...turns].filter(
      ([, { since, usedAt }]) => now - since >= turnMs || now - usedAt >= idleMs,
    );
    const going: [string, Turn][] = [];
    for (const [agent, turn] of over.sort(([, a], [, b]) => b.weight - a.weight)) {
      if (missing <= EPSILON) break;
      missing -= costOf(turn);
      going.push([agent, turn]);
    }
    return going;
  };

  return {
    want: (agent, now) => {
      if (turns.has(agent)) return [];
      if (!queue.has(agent)) queue.set(agent, { weight: 1, bytes: null });
      return fill(now);
    },
    leave: (agent, now) => {
      queue.delete(agent);
      if (!turns.delete(agent)) return [];
      return [{ agent, drains: false }, ...fill(now)];
    },
    used: (agent, bytes, now) => {
      const place = queue.get(agent);
      if (place !== undefined && place.bytes !== null) {
        place.bytes += bytes;
        place.weight = share(place.bytes);
      }
      const turn = turns.get(agent);
      if (turn === undefined) return;
      turn.usedAt = now;
      turn.bytes += bytes;
      turn.weight = Math.max(turn.weight, share(turn.bytes));
    },
    rotate: (now) => {
      weigh(now);
      const going = queue.size === 0 ? [] : ending(now);
      for (const [agent] of going) turns.delete(agent);
      const granted = fill(now);
      for (const [agent, turn] of going) {
        const bytes = Math.max(turn.bytes, turn.bytesBefore);
        // Nothing may mean that it idles, or that its link is slow.
        queue.set(agent, { weight: bytes === 0 ? turn.weight : share(bytes), bytes });
      }
      return [...going.map(([agent]) => ({ agent, drains: false })), ...granted];
    },
    drains: (agent) => turns.has(agent),
    draining: () => turns.keys(),
    taken: () => Math.max(0, Math.ceil(sum(turns.values(), weightOf) - EPSILON)),
    waiting: () => queue.size,
  };
}
