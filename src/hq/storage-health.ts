/**
 * Whether the storage takes commits. After one that the storage itself failed, a small commit of our own is tried every
 * PROBE_MS until one succeeds: nobody may be sending any more to find out, as traffic is led away from what is not
 * ready.
 */
import { catchError, EMPTY, exhaustMap, filter, ignoreElements, interval, type Observable } from 'rxjs';
import type { Clock } from '../platform/clock.ts';
import { type CommitHealth, watchCommits } from '../storage/commit-health.ts';
import type { Storage } from '../storage/storage.ts';
import { PROBE_KEY } from './store/keys.ts';

const PROBE_MS = 2_000;

/** `failure` is the reason without its message: that names folders, and readiness is open to all. */
export type StorageHealth<S extends Storage> = CommitHealth<S> & {
  /** Probes while subscribed and while commits fail; never emits. */
  readonly probe$: Observable<never>;
};

export function watchStorageHealth<S extends Storage>(
  storage: S,
  clock: Pick<Clock, 'scheduler'>,
): StorageHealth<S> {
  const { storage: watched, failure } = watchCommits(storage);
  const probe$ = interval(PROBE_MS, clock.scheduler).pipe(
    filter(() => failure() !== null),
    exhaustMap(() =>
      watched.commit((writer) => writer.put(PROBE_KEY, Uint8Array.of(1))).pipe(catchError(() => EMPTY)),
    ),
    ignoreElements(),
  );
  return { storage: watched, failure, probe$ };
}
