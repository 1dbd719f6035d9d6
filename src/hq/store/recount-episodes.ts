/** Steps of a recount over anomaly episodes, and what is known of agents by them. */
import type { Writer } from '../../storage/storage.ts';
import {
  decodeEpisode,
  decodeIndexState,
  encodeIndexState,
  type IndexState,
  noteEpisode,
  seriesOf,
} from './episodes.ts';
import { agentOfEpisode, indexKey } from './keys.ts';

export type EpisodeCount = {
  /** To be called with the keys of what is known of agents, before anything else: forgets what comes of episodes. */
  readonly reset: (writer: Writer, key: Uint8Array) => number;
  /** To be called with the keys of all episodes, in their order; gives about how many bytes it has read. */
  readonly count: (writer: Writer, key: Uint8Array) => number;
  /** Saves what was counted of the last agent; there is never more. */
  readonly save: (writer: Writer) => boolean;
};

/** Counts the episodes of all agents again. `latestTs`: those that reach beyond it are ahead of HQ's clock. */
export function createEpisodeCount(latestTs: number): EpisodeCount {
  let agent: string | null = null;
  let state: IndexState | null = null;
  const save = (writer: Writer) => {
    if (agent !== null && state !== null) writer.put(indexKey(agent), encodeIndexState(state));
    state = null;
    return false;
  };
  return {
    save,
    reset: (writer, key) => {
      const { spans } = decodeIndexState(writer.get(key), latestTs);
      writer.put(key, encodeIndexState({ ...decodeIndexState(undefined, latestTs), spans }));
      return 0;
    },
    count: (writer, key) => {
      const value = writer.get(key);
      const episode = decodeEpisode(value);
      if (value === undefined || episode === undefined) {
        writer.remove(key);
        return 0;
      }
      const of = agentOfEpisode(key);
      if (of !== agent) save(writer);
      agent = of;
      state ??= decodeIndexState(writer.get(indexKey(of)), latestTs);
      state.anomalies += 1;
      if (Math.max(episode.startTs, episode.endTs ?? episode.startTs) <= latestTs)
        noteEpisode(state, seriesOf(episode), episode);
      return value.length;
    },
  };
}
