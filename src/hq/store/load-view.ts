/** Reads at open what the store keeps in memory: agents and epoch states, mended where a state is missing. */

import type { Epoch } from '../../protocol/sample.ts';
import type { Entry, Reader, Storage } from '../../storage/storage.ts';
import { decodeAgent, decodeEpochState, type EpochState } from './epoch-state.ts';
import type { KeyRange } from './keys.ts';
import { kindRange, parseEpochKey, successor } from './keys.ts';
import { epochsWithFrames, rebuildEpoch } from './rebuild.ts';
import type { View } from './transactions.ts';

const PAGE = 1000;

export function loadView(storage: Storage): View {
  return storage.read((reader) => {
    const view: View = { agents: new Map(), epochs: new Map() };
    const put = (agent: string, epoch: Epoch, state: EpochState) => {
      const epochs = view.epochs.get(agent) ?? new Map<Epoch, EpochState>();
      view.epochs.set(agent, epochs);
      epochs.set(epoch, state);
    };
    for (const { key, value } of entriesOf(reader, kindRange('E'))) {
      const { agent, epoch } = parseEpochKey(key);
      const state = decodeEpochState(value) ?? rebuildEpoch(reader, agent, epoch);
      if (state !== undefined) put(agent, epoch, state);
    }
    for (const { agent, epoch } of epochsWithFrames(reader)) {
      if (view.epochs.get(agent)?.has(epoch)) continue;
      const state = rebuildEpoch(reader, agent, epoch);
      if (state !== undefined) put(agent, epoch, state);
    }
    for (const { value } of entriesOf(reader, kindRange('A'))) {
      const record = decodeAgent(value);
      if (record !== undefined) view.agents.set(record.agent, record);
    }
    for (const [agent, epochs] of view.epochs) {
      if (view.agents.has(agent)) continue;
      const [epoch] = [...epochs.keys()].slice(-1);
      const owned = [...epochs].find(([, state]) => state.owned)?.[0] ?? null;
      if (epoch !== undefined) view.agents.set(agent, { agent, epoch, firstSeenTs: 0, ownEpoch: owned });
    }
    return view;
  });
}

function* entriesOf(reader: Reader, range: KeyRange): Generator<Entry, void> {
  let { from } = range;
  for (;;) {
    const entries = reader.range({ from, to: range.to, limit: PAGE });
    yield* entries;
    const last = entries.at(-1);
    if (last === undefined || entries.length < PAGE) return;
    from = successor(last.key);
  }
}
