/** Keeps what has happened to agents, and removes it when it is old or too much. */
import { defer, map, type Observable, of } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import type { Storage } from '../../storage/storage.ts';
import { atOnce } from '../at-once.ts';
import {
  createEventSweep,
  EVENT_DEFAULTS,
  type EventNumbers,
  readEvents,
  writeEvents,
} from './agent-events.ts';
import { type ClockTrust, cutoffOf } from './clock-trust.ts';
import { asBuffer, META_KEY } from './keys.ts';
import type { EventStore } from './store.ts';
import type { StoreEmit } from './store-events.ts';
import type { Transactions } from './transactions.ts';

export type EventStoreOptions = {
  readonly storage: Storage;
  readonly transactions: Transactions;
  readonly clock: Pick<Clock, 'now' | 'precise'>;
  readonly trust: ClockTrust;
  readonly retention: { readonly maxBytes: number };
  /** Default: EVENT_DEFAULTS. */
  readonly limits?: { readonly maxAgeMs: number; readonly maxEvents: number } | undefined;
  readonly emit: StoreEmit;
};

export function createEventStore(options: EventStoreOptions) {
  const { storage, transactions, clock, trust, retention, limits = EVENT_DEFAULTS, emit } = options;
  const numbers: EventNumbers = { next: 0, life: revisionOf(storage) };
  const sweep = createEventSweep({
    ...{ storage, clock, maxEvents: limits.maxEvents },
    // Without a bound of the store there is none of a share of it.
    maxBytes: retention.maxBytes,
  });
  const roles: EventStore = {
    saveEvents: ({ events, leftOut }) =>
      transactions
        .run((transaction) => writeEvents(transaction, events, numbers))
        .pipe(map(() => emit({ type: 'store_events_kept', events: events.length, leftOut }))),
    events: (query) => atOnce(() => readEvents(storage, query)),
  };
  return {
    roles,
    /** Removes some that must go; emits whether there may be more. */
    sweep: (): Observable<boolean> =>
      defer(() => {
        const found = sweep.next(cutoffOf(limits, clock, trust));
        if (found === null) return of(false);
        const { keys, more } = found;
        if (keys.length === 0) return of(more);
        return transactions
          .run(({ writer }) => {
            for (const key of keys) writer.remove(key);
          })
          .pipe(
            map(() => {
              emit({ type: 'store_events_removed', events: keys.length });
              return more;
            }),
          );
      }),
  };
}

/** Each transaction raises it, so that no two lives that write anything begin with the same. */
function revisionOf(storage: Storage): number {
  const value = storage.read((reader) => reader.get(META_KEY));
  return value === undefined || value.length < 6 ? 0 : asBuffer(value).readUIntBE(0, 6);
}
