/**
 * Whether the storage takes commits. After one that the storage itself failed, a small commit of our own is tried every
 * PROBE_MS until one succeeds: nobody may be sending any more to find out, as traffic is led away from what is not ready.
 */
import { catchError, EMPTY, exhaustMap, filter, ignoreElements, interval, type Observable, tap } from 'rxjs';
import { type Storage, StorageError, type StorageErrorCode } from '../journal/storage.ts';
import type { Clock } from '../platform/clock.ts';
import { PROBE_KEY } from './store/keys.ts';

const PROBE_MS = 2_000;

export type StorageHealth<S extends Storage> = {
  /** The storage, to be used in place of the one that was given. */
  readonly storage: S;
  /** Why the last commit failed, without its message: that names folders, and readiness is open to all. Null while commits succeed. */
  readonly failure: () => StorageErrorCode | null;
  /** Probes while subscribed and while commits fail; never emits. */
  readonly probe$: Observable<never>;
};

export function watchStorageHealth<S extends Storage>(
  storage: S,
  clock: Pick<Clock, 'scheduler'>,
): StorageHealth<S> {
  let failure: StorageErrorCode | null = null;
  const watched: S = {
    ...storage,
    commit: (work) =>
      storage.commit(work).pipe(
        tap({
          error: (error: unknown) => {
            // What its work threw says nothing of the storage.
            if (error instanceof StorageError && error.code !== 'closed') failure = error.code;
          },
          complete: () => {
            failure = null;
          },
        }),
      ),
  };
  const probe$ = interval(PROBE_MS, clock.scheduler).pipe(
    filter(() => failure !== null),
    exhaustMap(() =>
      watched.commit((writer) => writer.put(PROBE_KEY, Uint8Array.of(1))).pipe(catchError(() => EMPTY)),
    ),
    ignoreElements(),
  );
  return { storage: watched, failure: () => failure, probe$ };
}
