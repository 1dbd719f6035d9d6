/**
 * Who may drain a backlog now: at most `slots` agents at once, the others wait in the order in which they came. Pure.
 *
 * - A free slot goes at once to the agent that waits longest; whoever leaves hands its slot on in the same call.
 * - While others wait, a turn ends after `turnMs`, or when the agent has sent nothing for `idleMs`; the agent goes to the end
 *   of the queue. While nobody waits, turns have no end.
 * - So with n agents that want a slot nobody waits longer than ⌈n / slots⌉ turns.
 */
export type DrainSlotsOptions = {
  /** At least 1. */
  readonly slots: number;
  readonly turnMs: number;
  /** At most `turnMs`. */
  readonly idleMs: number;
};

/** From now on the agent may drain, or may not. */
export type Shift = { readonly agent: string; readonly drains: boolean };

export type DrainSlots = {
  /** The agent has a backlog. It keeps the slot, or the place in the queue, that it has. */
  readonly want: (agent: string, nowMs: number) => readonly Shift[];
  /** It has none any more, or is gone. */
  readonly leave: (agent: string, nowMs: number) => readonly Shift[];
  /** It makes use of its slot. */
  readonly used: (agent: string, nowMs: number) => void;
  /** Ends the turns that are over. */
  readonly rotate: (nowMs: number) => readonly Shift[];
  readonly drains: (agent: string) => boolean;
  /** Those that drain, the longest turn first. */
  readonly draining: () => Iterable<string>;
  /** Slots that are taken. */
  readonly taken: () => number;
  /** Agents that wait for one. */
  readonly waiting: () => number;
};

export function createDrainSlots({ slots, turnMs, idleMs }: DrainSlotsOptions): DrainSlots {
  // Both in the order of insertion: the longest turn and the longest wait come first.
  const turns = new Map<string, { readonly since: number; usedAt: number }>();
  const queue = new Set<string>();

  const fill = (now: number): Shift[] => {
    const shifts: Shift[] = [];
    for (const agent of queue) {
      if (turns.size >= slots) break;
      queue.delete(agent);
      turns.set(agent, { since: now, usedAt: now });
      shifts.push({ agent, drains: true });
    }
    return shifts;
  };

  return {
    want: (agent, now) => {
      if (turns.has(agent)) return [];
      queue.add(agent);
      return fill(now);
    },
    leave: (agent, now) => {
      queue.delete(agent);
      if (!turns.delete(agent)) return [];
      return [{ agent, drains: false }, ...fill(now)];
    },
    used: (agent, now) => {
      const turn = turns.get(agent);
      if (turn !== undefined) turn.usedAt = now;
    },
    rotate: (now) => {
      const over = [...turns].filter(
        ([, { since, usedAt }]) => now - since >= turnMs || now - usedAt >= idleMs,
      );
      // Each that goes makes room for one that waits, and no more go than wait.
      const going = over.slice(0, queue.size).map(([agent]) => agent);
      for (const agent of going) turns.delete(agent);
      const granted = fill(now);
      for (const agent of going) queue.add(agent);
      return [...going.map((agent) => ({ agent, drains: false })), ...granted];
    },
    drains: (agent) => turns.has(agent),
    draining: () => turns.keys(),
    taken: () => turns.size,
    waiting: () => queue.size,
  };
}
