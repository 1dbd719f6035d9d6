/**
 * Retention of anomaly episodes. They go with the samples that arrived when they did, unless they may still go on: all
 * are looked at, some at a time, and now and then. An agent keeps so many at most, and all agents together so much of
 * the store: beyond it the oldest go of the agent that has most, and what is too much until then does not push out
 * samples.
 *
 * Used by the indexer between two commits of what it has found: both change the same states.
 */
import type { Clock } from '../../platform/clock.ts';
import { readPage } from '../../storage/read-page.ts';
import type { Reader, Storage } from '../../storage/storage.ts';
import { arrivalOfEpisode, type IndexState, isStillOpen } from './episodes.ts';
import { agentOfEpisode, agentRange, kindRange } from './keys.ts';

/** Episodes looked at in one pass, and removed in one transaction at most. */
const PASS_EPISODES = 256;
/** Agents looked at in one pass, of which none has to go. */
const PASS_AGENTS = 8;
const ROUND_IDLE_MS = 3_600_000;
/** What an episode takes in the store, roughly, bytes. */
const EPISODE_BYTES = 400;
/** Share of the bound of the store that all episodes together may have. */
const SHARE = 1 / 8;

export const MAX_EPISODES = 20_000;

export type EpisodeRemoval = {
  readonly agent: string;
  readonly keys: readonly Uint8Array[];
  /** `age`: too old; `count`: the agent has too many; `size`: all agents together have. */
  readonly reason: 'age' | 'count' | 'size';
};

export type EpisodeSweep = {
  /** An agent keeps so many now. */
  readonly noted: (agent: string, episodes: number) => void;
  /**
   * The next that must go; a removal without keys: there may be more. Null: there are none now. `cutoff`: those that
   * arrived before are too old, ms.
   */
  readonly next: (cutoff: number) => EpisodeRemoval | null;
  /** What all episodes take beyond their share, roughly, bytes. */
  readonly excessBytes: () => number;
};

export type EpisodeSweepOptions = {
  readonly storage: Storage;
  readonly clock: Pick<Clock, 'precise'>;
  readonly state: (agent: string) => IndexState;
  /** Of one agent. */
  readonly maxEpisodes: number;
  /** Bound of the whole store, bytes. */
  readonly maxBytes: number;
};

export function createEpisodeSweep(options: EpisodeSweepOptions): EpisodeSweep {
  const { storage, clock, state, maxEpisodes } = options;
  const most = (options.maxBytes * SHARE) / EPISODE_BYTES;
  const counts = new Map<string, number>();
  const crowded = new Set<string>();
  let total = 0;
  const all = kindRange('N');
  let from: Uint8Array | null = all.from;
  let roundEnded = 0;

  const noted = (agent: string, episodes: number) => {
    total += episodes - (counts.get(agent) ?? 0);
    if (episodes === 0) counts.delete(agent);
    else counts.set(agent, episodes);
    if (episodes > maxEpisodes) crowded.add(agent);
    else crowded.delete(agent);
  };

  const oldest = (agent: string, tooMany: number, reason: 'count' | 'size'): EpisodeRemoval => {
    const limit = Math.min(PASS_EPISODES, Math.ceil(tooMany));
    const keys = storage.read((reader) => reader.keys({ ...agentRange('N', agent), limit }));
    // Nothing is left of what was counted.
    if (keys.length === 0) noted(agent, 0);
    return { agent, keys, reason };
  };

  /** Goes on with the round, up to the first agent of which some must go. */
  const tooOld = (reader: Reader, cutoff: number): EpisodeRemoval | null => {
    for (let agents = 0; agents < PASS_AGENTS && from !== null; agents += 1) {
      const [key] = reader.keys({ from, to: all.to, limit: 1 });
      if (key === undefined) {
        from = null;
        roundEnded = clock.precise();
        return null;
      }
      const agent = agentOfEpisode(key);
      const known = state(agent);
      noted(agent, known.anomalies);
      const { to } = agentRange('N', agent);
      const { entries, next } = readPage(reader, { from: key, to, limit: PASS_EPISODES });
      from = next ?? to;
      const keys = entries
        .filter(({ value }) => (arrivalOfEpisode(value) ?? 0) < cutoff && !isStillOpen(known, value))
        .map((entry) => entry.key);
      if (keys.length > 0) return { agent, keys, reason: 'age' };
    }
    return { agent: '', keys: [], reason: 'age' };
  };

  return {
    noted,
    next: (cutoff) => {
      const [first] = crowded;
      if (first !== undefined) return oldest(first, (counts.get(first) ?? 0) - maxEpisodes, 'count');
      if (total > most) {
        const [agent, count] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a));
        return oldest(agent, Math.min(count, total - most), 'size');
      }
      if (from === null) {
        if (clock.precise() - roundEnded < ROUND_IDLE_MS) return null;
        from = all.from;
      }
      return storage.read((reader) => tooOld(reader, cutoff));
    },
    excessBytes: () => Math.max(0, total - most) * EPISODE_BYTES,
  };
}
