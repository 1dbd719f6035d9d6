/** Whether a storage takes commits, by what became of the last one. */
import { tap } from 'rxjs';
import { type Storage, StorageError, type StorageErrorCode } from './storage.ts';

export type CommitHealth<S extends Storage> = {
  /** The storage, to be used in place of the one that was given. */
  readonly storage: S;
  /**
   * Why the last commit failed; null while commits succeed. What the work of a commit threw says nothing of the
   * storage.
   */
  readonly failure: () => StorageErrorCode | null;
};

/** `onChanged` is told of each new answer of `failure`, before those who asked for the commit. */
export function watchCommits<S extends Storage>(
  storage: S,
  onChanged: (failure: StorageErrorCode | null) => void = () => {},
): CommitHealth<S> {
  let failure: StorageErrorCode | null = null;
  const become = (next: StorageErrorCode | null) => {
    if (next === failure) return;
    failure = next;
    onChanged(next);
  };
  return {
    storage: {
      ...storage,
      commit: (work) =>
        storage.commit(work).pipe(
          tap({
            next: () => become(null),
            error: (error: unknown) => {
              if (error instanceof StorageError && error.code !== 'closed') become(error.code);
            },
          }),
        ),
    },
    failure: () => failure,
  };
}
