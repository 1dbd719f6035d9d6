/**
 * Whether the storage takes commits. After one that the storage itself failed, and when its file is not in its place
 * any more, a small commit of our own is tried every PROBE_MS until one succeeds: nobody may be sending any more to
 * find out, as traffic is led away from what is not ready.
 */
import { catchError, EMPTY, exhaustMap, filter, ignoreElements, interval, type Observable } from 'rxjs';
import type { Clock } from '../platform/clock.ts';
import { type CommitHealth, watchCommits } from '../storage/commit-health.ts';
import type { Storage, StorageErrorCode } from '../storage/storage.ts';
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
  onChanged: (failure: StorageErrorCode | null) => void = () => {},
): StorageHealth<S> {
  const { storage: watched, failure } = watchCommits(storage, onChanged);
  const probe$ = interval(PROBE_MS, clock.scheduler).pipe(
    filter(() => failure() !== null || !storage.isInPlace()),
    exhaustMap(() =>
      watched.commit((writer) => writer.put(PROBE_KEY, Uint8Array.of(1))).pipe(catchError(() => EMPTY)),
    ),
    ignoreElements(),
  );
  return { storage: watched, failure, probe$ };
}

/** What a failure means, and what to do about it. Names no folders. */
export function failureText(failure: StorageErrorCode): string {
  switch (failure) {
    case 'full':
      return 'its disk is full: free some space, and it goes on by itself';
    case 'replaced':
      return 'its data file was moved, deleted or replaced: move the file itself back, and it goes on by itself; the log says what to do where it was deleted';
    default:
      return `the last commit failed (${failure}): look at its disk`;
  }
}
