/**
 * Bound of the gap records of one agent: beyond it the oldest go, by epoch and seq; the counts in the ledger stay. Only
 * who has brought many is looked at, as counting them takes long.
 */
import type { Storage } from '../../storage/storage.ts';
import { agentRange } from './keys.ts';

/** Gap records of one agent that are kept. */
export const MAX_GAPS = 20_000;
/** An agent is looked at when it has brought so many. */
const LOOKED_AT_AFTER = MAX_GAPS / 4;
const COUNTED_AT_ONCE = 1_000;
const PASS_GAPS = 512;

export type GapBound = {
  /** The agent has brought another gap. */
  readonly added: (agent: string) => void;
  /** An agent to look at; undefined: none has brought so many. */
  readonly due: () => string | undefined;
  /** Finds the records of the agent that must go, some of them; none: it has been looked at. */
  readonly excessOf: (agent: string) => Generator<void, readonly Uint8Array[]>;
};

export function createGapBound(storage: Storage): GapBound {
  /** Gaps since the agent was looked at last. */
  const brought = new Map<string, number>();
  return {
    added: (agent) => brought.set(agent, (brought.get(agent) ?? 0) + 1),
    due: () => {
      for (const [agent, gaps] of brought) if (gaps >= LOOKED_AT_AFTER) return agent;
      return undefined;
    },
    *excessOf(agent) {
      const { from, to } = agentRange('G', agent);
      let before = to;
      for (let kept = 0; kept < MAX_GAPS; kept += COUNTED_AT_ONCE) {
        const range = { from, to: before, reverse: true, limit: COUNTED_AT_ONCE };
        const keys = storage.read((reader) => reader.keys(range));
        before = keys.at(-1) ?? from;
        yield;
      }
      const keys = storage.read((reader) => reader.keys({ from, to: before, limit: PASS_GAPS }));
      if (keys.length < PASS_GAPS) brought.delete(agent);
      return keys;
    },
  };
}
