/** What the store keeps in memory of its records. */
import type { Epoch } from '../../protocol/sample.ts';
import type { EpochState, StoredAgent } from './epoch-state.ts';
import type { TailEntry } from './log-entry.ts';

export type View = {
  readonly agents: Map<string, StoredAgent>;
  /** By agent, then epoch. */
  readonly epochs: Map<string, Map<Epoch, EpochState>>;
  /** The agent that has an epoch. */
  readonly holders: Map<Epoch, string>;
  /** By agent, oldest first: its entries of the log that are not in the index yet. No agent has an empty one. */
  readonly tails: Map<string, TailEntry[]>;
  readonly sizes: Map<string, number | null>;
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
  sizes: new Map(),
});

/** A view of its own with what `view` shows. */
export function viewOf({ agents, epochs, holders, tails, sizes }: View): View {
  return {
    agents: new Map(agents),
    epochs: new Map([...epochs].map(([agent, ofAgent]) => [agent, new Map(ofAgent)])),
    holders: new Map(holders),
    tails: new Map([...tails].map(([agent, tail]) => [agent, [...tail]])),
    sizes: new Map(sizes),
  };
}

export function putEpoch({ epochs, holders }: View, agent: string, epoch: Epoch, state: EpochState): void {
  if (!holders.has(epoch)) holders.set(epoch, agent);
  const ofAgent = epochs.get(agent);
  if (ofAgent === undefined) epochs.set(agent, new Map([[epoch, state]]));
  else ofAgent.set(epoch, state);
}

/** 6 bytes. */
export function encodeNumber(number: number): Buffer {
  const bytes = Buffer.allocUnsafe(6);
  bytes.writeUIntBE(number, 0, 6);
  return bytes;
}
