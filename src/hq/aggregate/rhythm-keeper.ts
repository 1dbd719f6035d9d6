/**
 * Writes down how often agents deliver over HTTP, with the records of the agents: an agent that delivers once an hour
 * would else be judged by a rhythm that is not its own for hours after a restart of HQ.
 *
 * One small record an agent: at once when its usual pause has changed, else once a minute, and at an orderly end.
 */
import type { RhythmRecord } from '../store/rhythm-record.ts';
import type { RhythmStore } from '../store/store.ts';
import { createRecordKeeper } from './record-keeper.ts';
import { type Rhythm, usualPause } from './rhythm.ts';

export type RhythmKeeper = {
  /** `now`: HQ's wall time, ms. */
  readonly delivered: (agent: string, rhythm: Rhythm, now: number) => void;
  /** It is retired: there is nothing to write of it. */
  readonly forget: (agent: string) => void;
  readonly retry: () => void;
  /** Writes what is not written yet. */
  readonly flush: () => void;
};

const SAVE_EVERY_MS = 60_000;
/** A usual pause that moves by less is the same one. */
const SAME_SHARE = 0.2;

export function createRhythmKeeper(saveRhythms: RhythmStore['saveRhythms']): RhythmKeeper {
  /** As last written, or about to be. */
  const kept = new Map<string, RhythmRecord>();
  /** Later than what was written. */
  const unsaved = new Map<string, RhythmRecord>();
  const records = createRecordKeeper(saveRhythms);
  const save = (agent: string, record: RhythmRecord) => {
    kept.set(agent, record);
    unsaved.delete(agent);
    records.put(agent, record);
  };
  return {
    delivered: (agent, rhythm, now) => {
      const record = { lastTs: now, pauses: [...rhythm] };
      const before = kept.get(agent);
      const isRecent = before !== undefined && Math.abs(now - before.lastTs) < SAVE_EVERY_MS;
      if (isRecent && isSame(before.pauses, rhythm)) unsaved.set(agent, record);
      else save(agent, record);
    },
    forget: (agent) => {
      kept.delete(agent);
      unsaved.delete(agent);
      records.forget(agent);
    },
    retry: records.retry,
    flush: () => {
      for (const [agent, record] of [...unsaved]) save(agent, record);
    },
  };
}

function isSame(before: Rhythm, now: Rhythm): boolean {
  const [a, b] = [usualPause(before), usualPause(now)];
  return a === b || (a !== null && b !== null && Math.abs(a - b) <= a * SAME_SHARE);
}
