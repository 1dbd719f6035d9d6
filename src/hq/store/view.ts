/** What the store keeps in memory of its records. */
import type { Epoch } from '../../protocol/sample.ts';
import type { EpochState, StoredAgent } from './epoch-state.ts';
import type { TailEntry } from './log-entry.ts';
import type { PurgeRecord } from './purge-record.ts';
import type { RollupState } from './rollup-state.ts';

export type View = {
  readonly agents: Map<string, StoredAgent>;
  /** By agent, then epoch. */
  readonly epochs: Map<string, Map<Epoch, EpochState>>;
  /** The agent that has an epoch. */
  readonly holders: Map<Epoch, string>;
  /** By agent, oldest first: its entries of the log that are not in the index yet. No agent has an empty one. */
  readonly tails: Map<string, TailEntry[]>;
  readonly sizes: Map<string, number | null>;
  /** The same of those that are not in its rollups yet, in the index or not. */
  readonly unrolled: Map<string, TailEntry[]>;
  /** How far the rollups of an agent go. */
  readonly rollups: Map<string, RollupState>;
  /** Agents that are being removed for good, or have been. */
  readonly purges: Map<string, PurgeRecord>;
  /** By agent, then epoch: what HQ held when it was removed; where the epoch goes on when its agent comes back. */
  readonly purged: Map<string, Map<Epoch, EpochState>>;
};

/** What the frames of an agent take in the index, bytes; null: not counted yet. Absent: it has none. */
export type Sizes = ReadonlyMap<string, number | null>;

/** An epoch of which the log holds more than its saved state says, from the entry of this number on. */
export type UnsavedEpoch = { readonly agent: string; readonly epoch: Epoch; readonly from: number };

export type LoadedView = { readonly view: View; readonly unsaved: readonly UnsavedEpoch[] };

export const emptyView = (): View => ({
  agents: new Map(),
  epochs: new Map(),
  holders: new Map(),
  tails: new Map(),
  unrolled: new Map(),
  rollups: new Map(),
  sizes: new Map(),
  purges: new Map(),
  purged: new Map(),
});

/** A view of its own with what `view` shows. */
export function viewOf({
  agents,
  epochs,
  holders,
  tails,
  unrolled,
  rollups,
  sizes,
  purges,
  purged,
}: View): View {
  const copied = (entries: View['tails']) => new Map([...entries].map(([agent, tail]) => [agent, [...tail]]));
  return {
    agents: new Map(agents),
    epochs: new Map([...epochs].map(([agent, ofAgent]) => [agent, new Map(ofAgent)])),
    holders: new Map(holders),
    tails: copied(tails),
    unrolled: copied(unrolled),
    rollups: new Map(rollups),
    sizes: new Map(sizes),
    purges: new Map(purges),
    purged: new Map([...purged].map(([agent, ofAgent]) => [agent, new Map(ofAgent)])),
  };
}

/** `view` shows what `other` does, and nothing besides. */
export function replaceView(view: View, other: View): void {
  refill(view.agents, other.agents);
  refill(view.epochs, other.epochs);
  refill(view.holders, other.holders);
  refill(view.tails, other.tails);
  refill(view.unrolled, other.unrolled);
  refill(view.rollups, other.rollups);
  refill(view.sizes, other.sizes);
  refill(view.purges, other.purges);
  refill(view.purged, other.purged);
}

function refill<K, V>(map: Map<K, V>, other: ReadonlyMap<K, V>): void {
  map.clear();
  for (const [key, value] of other) map.set(key, value);
}

/** State of an epoch, also of one that was removed with its agent. */
export const heldOf = ({ epochs, purged }: View, agent: string, epoch: Epoch): EpochState | undefined =>
  epochs.get(agent)?.get(epoch) ?? purged.get(agent)?.get(epoch);

export function putEpoch({ epochs, holders }: View, agent: string, epoch: Epoch, state: EpochState): void {
  if (!holders.has(epoch)) holders.set(epoch, agent);
  const ofAgent = epochs.get(agent);
  if (ofAgent === undefined) epochs.set(agent, new Map([[epoch, state]]));
  else ofAgent.set(epoch, state);
}

/** The epoch is not its agent's any more; `left`: what is kept of it. */
export function dropEpoch(view: View, agent: string, epoch: Epoch, left: EpochState | null): void {
  const { epochs, holders, purged } = view;
  const ofAgent = epochs.get(agent);
  ofAgent?.delete(epoch);
  if (ofAgent?.size === 0) epochs.delete(agent);
  if (left !== null) putPurged(view, agent, epoch, left);
  else if (holders.get(epoch) === agent && purged.get(agent)?.has(epoch) !== true) holders.delete(epoch);
}

export function putPurged({ purged, holders }: View, agent: string, epoch: Epoch, left: EpochState): void {
  if (!holders.has(epoch)) holders.set(epoch, agent);
  const ofAgent = purged.get(agent);
  if (ofAgent === undefined) purged.set(agent, new Map([[epoch, left]]));
  else ofAgent.set(epoch, left);
}

/** Adds an entry to those of its agent. */
export function addEntry(to: View['tails'], agent: string, entry: TailEntry): void {
  const entries = to.get(agent);
  if (entries === undefined) to.set(agent, [entry]);
  else entries.push(entry);
}

/** Leaves out the agent's entries up to a number. */
export function dropEntries(from: View['tails'], agent: string, number: number): void {
  const left = (from.get(agent) ?? []).filter((entry) => entry.number > number);
  if (left.length === 0) from.delete(agent);
  else from.set(agent, left);
}

/** 6 bytes. */
export function encodeNumber(number: number): Buffer {
  const bytes = Buffer.allocUnsafe(6);
  bytes.writeUIntBE(number, 0, 6);
  return bytes;
}
