/**
 * How many idempotency keys there are, of each agent and in all: they cannot be removed before they expire, so new ones
 * are refused where there are too many. Those that were there at the start are counted some at a time; until then there
 * seem to be fewer.
 */
import type { Storage } from '../../storage/storage.ts';
import { agentOfDedupKey, kindRange, successor } from './keys.ts';

const COUNTED_AT_ONCE = 2_000;
/** What a key takes in the store, with its entry by expiry, roughly, bytes. */
const KEY_BYTES = 250;
/** Share of the bound of the store that all keys together may have. */
const SHARE = 1 / 8;

export const MAX_KEYS = 1_000_000;

export type KeyCounts = {
  /** Whether the agent may have no more. */
  readonly isFull: (agent: string) => boolean;
  /** Of one agent. */
  readonly max: number;
  /** Dedup keys that are durable now. */
  readonly added: (keys: readonly Uint8Array[]) => void;
  readonly removed: (keys: readonly Uint8Array[]) => void;
  /** The agent has none any more. */
  readonly forget: (agent: string) => void;
  /** Counts some of those that were there; returns whether there are more. */
  readonly count: () => boolean;
};

export type KeyCountsOptions = {
  readonly storage: Storage;
  readonly maxKeys: number;
  /** Bound of the whole store, bytes. */
  readonly maxBytes: number;
};

export function createKeyCounts({ storage, maxKeys, maxBytes }: KeyCountsOptions): KeyCounts {
  const byAgent = new Map<string, number>();
  const all = kindRange('D');
  /** Keys from here on are counted later; null: all are. */
  let from: Uint8Array | null = all.from;
  let total = 0;
  const move = (key: Uint8Array, by: 1 | -1) => {
    const agent = agentOfDedupKey(key);
    const count = Math.max(0, (byAgent.get(agent) ?? 0) + by);
    total = Math.max(0, total + by);
    if (count === 0) byAgent.delete(agent);
    else byAgent.set(agent, count);
  };
  const moveAll = (keys: readonly Uint8Array[], by: 1 | -1) => {
    for (const key of keys) if (from === null || Buffer.compare(key, from) < 0) move(key, by);
  };
  return {
    isFull: (agent) => (byAgent.get(agent) ?? 0) >= maxKeys || total * KEY_BYTES > maxBytes * SHARE,
    max: maxKeys,
    added: (keys) => moveAll(keys, 1),
    removed: (keys) => moveAll(keys, -1),
    forget: (agent) => {
      total = Math.max(0, total - (byAgent.get(agent) ?? 0));
      byAgent.delete(agent);
    },
    count: () => {
      if (from === null) return false;
      const range = { from, to: all.to, limit: COUNTED_AT_ONCE };
      const keys = storage.read((reader) => reader.keys(range));
      const last = keys.at(-1);
      from = last === undefined || keys.length < COUNTED_AT_ONCE ? null : successor(last);
      for (const key of keys) move(key, 1);
      return from !== null;
    },
  };
}
