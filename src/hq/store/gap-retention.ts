/**
 * Retention of gap records: they go with the samples around them, by the time at which the gap ended; the counts in the
 * ledger stay. No index has them by time, so that all are looked at, some at a time, and now and then.
 */
import type { Clock } from '../../platform/clock.ts';
import { readPage } from '../../storage/read-page.ts';
import type { Storage } from '../../storage/storage.ts';
import { decodeGapRecord } from './gap-record.ts';
import { kindRange } from './keys.ts';
import { oldestArrival } from './retention.ts';

/** Records looked at in one pass. */
const PASS_RECORDS = 512;
const ROUND_IDLE_MS = 3_600_000;
/** The same while the store is too large, and nothing but gaps may be left. */
const FULL_IDLE_MS = 60_000;

export type GapPass = {
  readonly keys: readonly Uint8Array[];
  /** The round goes on. */
  readonly more: boolean;
};

export type GapSweep = {
  /** The next records that must go; null: it is not time yet. */
  readonly next: (limits: {
    /** Gaps that ended before are too old, ms. */
    readonly cutoff: number;
    readonly isFull: boolean;
  }) => GapPass | null;
};

export function createGapSweep(storage: Storage, clock: Pick<Clock, 'precise' | 'now'>): GapSweep {
  const all = kindRange('G');
  let from: Uint8Array | null = all.from;
  let roundEnded = 0;
  return {
    next: ({ cutoff, isFull }) => {
      if (from === null) {
        if (clock.precise() - roundEnded < (isFull ? FULL_IDLE_MS : ROUND_IDLE_MS)) return null;
        from = all.from;
      }
      // What is too much goes from the oldest frames on: gaps before those that are left have no neighbours any more.
      const before = isFull ? Math.max(cutoff, oldestArrival(storage) ?? clock.now()) : cutoff;
      const range = { from, to: all.to, limit: PASS_RECORDS };
      const { entries, next } = storage.read((reader) => readPage(reader, range));
      const keys = entries
        .filter(({ value }) => (decodeGapRecord(value)?.toTs ?? Number.NEGATIVE_INFINITY) < before)
        .map(({ key }) => key);
      const more = next !== null;
      from = next;
      if (!more) roundEnded = clock.precise();
      return { keys, more };
    },
  };
}
