/**
 * Retention of rollups, by resolution: whole blocks that are over for longer than that. Where the store is full, fine
 * ones are kept no longer than raw samples are, and coarser ones a few times as long.
 *
 * From which time on a resolution is whole is a record of its own, which only rises; it is committed before anything is
 * removed.
 */
import { defer, map, type Observable, of, switchMap } from 'rxjs';
import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import type { Reader, Storage } from '../../storage/storage.ts';
import { RESOLUTIONS, type Resolution } from '../rollups/resolutions.ts';
import type { ClockTrust } from './clock-trust.ts';
import { parseJson, toJson } from './epoch-state.ts';
import { kindRange, successor } from './keys.ts';
import { oldestArrival, type Retention } from './retention.ts';
import { agentOfRollup, firstRollupKey, parseRollupKey, rollupRange, rollupStateKey } from './rollup-keys.ts';
import { sliced } from './sliced.ts';
import type { StoreEmit } from './store-events.ts';
import type { Transactions } from './transactions.ts';

const DAY_MS = 86_400_000;
/** How long each resolution is kept, ms. */
export const ROLLUP_KEEP_MS: readonly number[] = [
  7 * DAY_MS,
  30 * DAY_MS,
  400 * DAY_MS,
  Number.POSITIVE_INFINITY,
];
/** In a store that is full: at most so many times as long as raw samples. */
const TIMES_RAW = [1, 4, 60, Number.POSITIVE_INFINITY];
const SIZE_TARGET = 0.95;
/** Of one transaction, as commits of frames wait for it. */
const PASS_KEYS = 512;

/** What holds of the rollups of all agents. */
const GENERAL_KEY = rollupStateKey('');
const generalSchema = z.object({
  /** By resolution, ms. */
  floors: z.array(z.number().nullable()),
});

export type RollupRetention = {
  /** Rollups of a resolution are whole from this time on, ms. */
  readonly keptFrom: (resolution: Resolution) => number;
  readonly isKept: (resolution: Resolution, block: number) => boolean;
  /** Removes a part of what is too old; emits whether there is more. */
  readonly sweep: () => Observable<boolean>;
};

export type RollupRetentionOptions = {
  readonly storage: Storage;
  readonly transactions: Transactions;
  readonly clock: Clock;
  readonly trust: ClockTrust;
  readonly retention: Pick<Retention, 'maxBytes'>;
  /** How long each resolution is kept, ms. */
  readonly keepMs: readonly number[];
  readonly emit: StoreEmit;
};

export function createRollupRetention(options: RollupRetentionOptions): RollupRetention {
  const { storage, transactions, clock, emit } = options;
  let floors = storage.read(readFloors);
  /** What is too old is looked for below these. */
  let wanted = floors;
  /** Null: all was looked at. */
  let cursor: Uint8Array | null = kindRange('U').from;
  const keptFrom = ({ index }: Resolution): number => floors[index] ?? Number.NEGATIVE_INFINITY;

  const raise = (next: readonly number[]): Observable<boolean> =>
    transactions
      .run(({ writer }) => writer.put(GENERAL_KEY, toJson({ floors: next.map(finiteOrNull) })))
      .pipe(
        map(() => {
          floors = next;
          return true;
        }),
      );
  const remove = (from: Uint8Array): Observable<boolean> =>
    sliced(() => findOld(storage, from, wanted), clock).pipe(
      switchMap(({ keys, next }) => {
        if (keys.length === 0) {
          cursor = next;
          return of(next !== null);
        }
        if (floors !== wanted) return raise(wanted);
        return transactions
          .run(({ writer }) => {
            for (const key of keys) writer.remove(key);
          })
          .pipe(
            map(() => {
              cursor = next;
              emit({ type: 'store_rollups_removed', parts: keys.length });
              return next !== null;
            }),
          );
      }),
    );
  return {
    keptFrom,
    isKept: (resolution, block) => (block + 1) * resolution.blockMs > keptFrom(resolution),
    sweep: () =>
      defer(() => {
        const due = dueFloors(options, wanted);
        if (due.some((floor, index) => floor > (wanted[index] ?? Number.NEGATIVE_INFINITY))) {
          wanted = due;
          cursor = kindRange('U').from;
        }
        return cursor === null ? of(false) : remove(cursor);
      }),
  };
}

const finiteOrNull = (value: number): number | null => (Number.isFinite(value) ? value : null);

function readFloors(reader: Reader): readonly number[] {
  const parsed = generalSchema.safeParse(parseJson(reader.get(GENERAL_KEY)));
  return RESOLUTIONS.map(
    ({ index }) => (parsed.success ? parsed.data.floors[index] : null) ?? Number.NEGATIVE_INFINITY,
  );
}

/** None is lower than it was. */
function dueFloors(
  { storage, clock, trust, retention, keepMs }: RollupRetentionOptions,
  floors: readonly number[],
): readonly number[] {
  if (!trust.holds()) return floors;
  const now = clock.now();
  const isFull = storage.stats().usedBytes > retention.maxBytes * SIZE_TARGET;
  const rawMs = isFull ? now - (oldestArrival(storage) ?? now) : Number.POSITIVE_INFINITY;
  return RESOLUTIONS.map(({ index, blockMs }) => {
    const keep = Math.min(keepMs[index] ?? Number.POSITIVE_INFINITY, rawMs * (TIMES_RAW[index] ?? 1));
    const floor = Math.floor((now - keep) / blockMs) * blockMs;
    return Math.max(floor, floors[index] ?? Number.NEGATIVE_INFINITY);
  });
}

type Old = { readonly keys: readonly Uint8Array[]; readonly next: Uint8Array | null };

/** Parts that are too old, from a key on, at the cost of one seek for each schema and resolution. */
function* findOld(storage: Storage, start: Uint8Array, floors: readonly number[]): Generator<void, Old> {
  const { to } = kindRange('U');
  const keys: Uint8Array[] = [];
  let from = start;
  while (keys.length < PASS_KEYS) {
    const key = storage.read((reader) => reader.keys({ from, to, limit: 1 }))[0];
    if (key === undefined) return { keys, next: null };
    const agent = agentOfRollup(key);
    if (key.length === rollupStateKey(agent).length) {
      from = successor(key);
      continue;
    }
    const { ref, resolution, block } = parseRollupKey(key);
    const { blockMs } = RESOLUTIONS[resolution] ?? RESOLUTIONS[0];
    const end = Math.floor((floors[resolution] ?? Number.NEGATIVE_INFINITY) / blockMs);
    if (block < end) {
      const range = rollupRange(agent, { ref, resolution, from: block, to: end });
      keys.push(...storage.read((reader) => reader.keys({ ...range, limit: PASS_KEYS })));
    }
    const last = keys.at(-1);
    from =
      last !== undefined && keys.length >= PASS_KEYS
        ? successor(last)
        : firstRollupKey(agent, { ref, resolution: resolution + 1 });
    yield;
  }
  return { keys, next: from };
}
