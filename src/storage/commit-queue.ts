/**
 * Group commit. One group is on its way to the disk at a time; works that arrive meanwhile form the next.
 *
 * Invariants:
 * - works run in the order in which they were subscribed, each on the durable state plus the works before it in its
 *   group;
 * - a group becomes durable as a whole; its results are emitted in order afterwards;
 * - when a group's flush fails, all of its works fail; later groups start again from what the disk really holds;
 * - a work that throws fails alone and leaves nothing behind.
 */
import { Observable, type Subscriber } from 'rxjs';
import { createOverlay, type Operation } from './overlay.ts';
import { type Reader, StorageError, type Writer } from './storage.ts';

export type CommitQueueOptions = {
  /** Runs `work` on one consistent view of the durable state. */
  readonly view: <T>(work: (reader: Reader) => T) => T;
  /** Completes once all operations are durable; errors with a StorageError. */
  readonly flush: (operations: readonly Operation[]) => Observable<never>;
  /** Starts a group: at once, or a little later so that works subscribed together share it. */
  readonly defer: (run: () => void) => void;
};

export type CommitQueue = {
  readonly commit: <T>(work: (writer: Writer) => T) => Observable<T>;
  /** Fails everything that waits and everything that comes. */
  readonly fail: (error: StorageError) => void;
  /** Completes when nothing waits or runs any more. */
  readonly drained$: Observable<never>;
};

/** Bounds one group, so that the first of its works does not wait long for the last. */
const MAX_GROUP_WORKS = 256;
const MAX_GROUP_OPERATIONS = 20_000;

/** One commit that waits for its turn. */
type Waiting = {
  /** Runs the work on the overlay; what it returns emits the outcome. */
  readonly run: (attempt: <R>(work: (writer: Writer) => R) => R) => () => void;
  readonly fail: (error: unknown) => void;
};

/** Works that become durable together. */
type Group = { readonly members: Waiting[]; readonly outcomes: (() => void)[] };

export function createCommitQueue(options: CommitQueueOptions): CommitQueue {
  const waiting = new Set<Waiting>();
  const drainWaiters = new Set<Subscriber<never>>();
  /** A start has been deferred. */
  let scheduled = false;
  /** A group is on its way to the disk. */
  let flying = false;
  /** The loop below runs: whatever ends within it must not start another, or the stack would grow. */
  let pumping = false;
  let failure: StorageError | null = null;

  const land = (finish: () => void) => {
    finish();
    flying = false;
    if (!pumping) pump();
  };

  const runGroup = () => {
    const group: Group = { members: [], outcomes: [] };
    flying = true;
    let operations: readonly Operation[];
    try {
      operations = options.view((reader) => runWorks(reader, waiting, group));
    } catch (error) {
      land(() => failAll(group, error));
      return;
    }
    if (operations.length === 0) {
      land(() => emitAll(group));
      return;
    }
    options.flush(operations).subscribe({
      error: (error: unknown) => land(() => failAll(group, error)),
      complete: () => land(() => emitAll(group)),
    });
  };

  const pump = () => {
    pumping = true;
    while (!flying && waiting.size > 0) runGroup();
    pumping = false;
    if (!flying) for (const subscriber of [...drainWaiters]) subscriber.complete();
  };

  const kick = () => {
    if (scheduled || flying || pumping) return;
    scheduled = true;
    options.defer(() => {
      scheduled = false;
      if (!flying && !pumping) pump();
    });
  };

  return {
    commit: <T>(work: (writer: Writer) => T) =>
      new Observable<T>((subscriber) => {
        if (failure !== null) {
          subscriber.error(failure);
          return undefined;
        }
        const one = waitingWork(work, subscriber);
        waiting.add(one);
        kick();
        return () => waiting.delete(one);
      }),
    fail: (error) => {
      failure = error;
      const all = [...waiting];
      waiting.clear();
      for (const one of all) one.fail(error);
    },
    drained$: new Observable<never>((subscriber) => {
      if (!scheduled && !flying && !pumping && waiting.size === 0) {
        subscriber.complete();
        return undefined;
      }
      drainWaiters.add(subscriber);
      return () => drainWaiters.delete(subscriber);
    }),
  };
}

function waitingWork<T>(work: (writer: Writer) => T, subscriber: Subscriber<T>): Waiting {
  return {
    run: (attempt) => {
      try {
        const result = attempt(work);
        return () => {
          subscriber.next(result);
          subscriber.complete();
        };
      } catch (error) {
        return () => subscriber.error(error);
      }
    },
    fail: (error) => subscriber.error(error),
  };
}

/** Moves what waits into the group and runs it, as far as a group may go. Returns what there is to be written. */
function runWorks(reader: Reader, waiting: Set<Waiting>, { members, outcomes }: Group): readonly Operation[] {
  const overlay = createOverlay(reader);
  for (const one of waiting) {
    if (members.length >= MAX_GROUP_WORKS || overlay.size() >= MAX_GROUP_OPERATIONS) break;
    waiting.delete(one);
    members.push(one);
    outcomes.push(one.run(overlay.attempt));
  }
  return overlay.operations();
}

function failAll({ members }: Group, error: unknown): void {
  for (const one of members) one.fail(error);
}

function emitAll({ outcomes }: Group): void {
  for (const emit of outcomes) emit();
}

export function closedError(): StorageError {
  return new StorageError('closed', 'The storage has been closed; nothing can be read or written any more.');
}
