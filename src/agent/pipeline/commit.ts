/**
 * Collect and commit: gathers samples and hands them to the journal, one batch at a time, in order.
 *
 * Invariants:
 * - one append is under way at most; a batch that failed is tried again exactly as it was, before anything newer: the
 *   failed commit may yet appear, and the same samples under the same seqs do no harm;
 * - a sample leaves memory only when its commit is durable, or when more than `maxUncommitted` wait: then the oldest
 *   that are not in the batch under way are discarded and counted. They were never sampled in the sense of promise 1;
 * - `demand` is false while more than two full batches wait, so a source that heeds it never causes a loss.
 */
import { defer, Observable, type OperatorFunction, type Subscription, throwIfEmpty } from 'rxjs';
import type { Appended, Journal } from '../../journal/port.ts';
import { type SampleRows, totalRows } from '../../protocol/sample-block.ts';
import { StorageError } from '../../storage/storage.ts';
import type { BackoffOptions } from '../../streams/backoff.ts';
import { type RetryVerdict, retryWith } from '../../streams/retry-with.ts';
import type { CommitStatus, PipelineOptions, PipelineSettings } from './pipeline-types.ts';
import { createSampleQueue } from './sample-queue.ts';

const RETRY: BackoffOptions = { initialMs: 250, maxMs: 10_000, jitter: 'full' };
/** Before the jitter: a full disk is not freed within milliseconds. */
const RETRY_LEAST_MS = 100;

export type CommitOptions = Pick<PipelineOptions, 'clock' | 'random' | 'emit'> & {
  readonly append: Journal['append'];
  readonly settings: Pick<PipelineSettings, 'commitMs' | 'commitMaxCount' | 'maxUncommitted'>;
  /** Told whenever there is room again, or none. */
  readonly onDemand: (room: boolean) => void;
  /** Told of every change; cheap to call, `urgent` when more than counts changed. */
  readonly onStatus: (status: CommitStatus, urgent: boolean) => void;
};

/**
 * What became of the samples, in order. Completes after the source once everything is durable. An error of the source
 * is not expected and comes after the samples before it. Never fails by itself: a journal that was closed ends it, the
 * rest being discarded.
 */
export function commit(options: CommitOptions): OperatorFunction<SampleRows, Appended> {
  const { append, settings, clock, random, emit, onDemand, onStatus } = options;
  const { commitMs, maxUncommitted } = settings;
  // The batch under way cannot be discarded, so it must leave room for as much again.
  const fullCount = Math.min(settings.commitMaxCount, Math.floor(maxUncommitted / 4));
  const maxCount = commitMs === 0 ? 1 : fullCount;
  const highWater = 2 * fullCount;

  return (source) =>
    new Observable((subscriber) => {
      const queue = createSampleQueue();
      /** Samples of the append under way. */
      let flying = 0;
      let timer: Subscription | undefined;
      /** How many at the front of the queue have waited for their time. */
      let due = 0;
      let ended: (() => void) | null = null;
      let pumping = false;
      let room = true;
      let committed = 0;
      let discarded = 0;
      /** Of the present episode of failures. */
      let failure: string | null = null;
      let failures = 0;
      let discardedBefore = 0;
      let discarding = false;

      const uncommitted = () => queue.size() + flying;
      const tell = (urgent: boolean) => {
        onStatus({ uncommitted: uncommitted(), committed, discarded, failure }, urgent);
      };
      const countDiscarded = (count: number) => {
        discarded += count;
        emit({ type: 'samples_discarded', count });
      };
      const gauge = () => emit({ type: 'uncommitted_changed', count: uncommitted() });

      const onFailure = (reason: string, attempt: number) => {
        emit({ type: 'commit_failed', reason, attempt });
        failures = attempt;
        if (failure === null) {
          discardedBefore = discarded;
          emit({ type: 'commit_failing', reason, waiting: uncommitted() });
        }
        failure = reason;
        gauge();
        tell(true);
      };
      const onSuccess = () => {
        if (failure === null) return;
        emit({ type: 'commit_recovered', attempts: failures, discarded: discarded - discardedBefore });
        failure = null;
        discarding = false;
        tell(true);
      };

      const onAppended = (appended: Appended) => {
        onSuccess();
        const { firstSeq, lastSeq } = appended.frame;
        if (appended.kind === 'dropped') emit({ type: 'samples_refused', count: lastSeq - firstSeq + 1 });
        subscriber.next(appended);
      };

      const giveUp = (error: unknown) => {
        onFailure(describe(error), failures + 1);
        const waiting = queue.size();
        queue.take(waiting);
        countDiscarded(flying + waiting);
        flying = 0;
        tell(true);
        subscriber.complete();
      };

      const fly = (batch: readonly SampleRows[]) => {
        const count = totalRows(batch);
        flying = count;
        const begun = clock.precise();
        const land = () => {
          flying = 0;
          committed += count;
          const seconds = (clock.precise() - begun) / 1000;
          emit({ type: 'samples_committed', count, seconds });
          // Batches are parts of blocks in order, and this one is durable: what came before it is done with too.
          for (const rows of batch) if ('columns' in rows) rows.recycle?.();
          gauge();
          pump();
        };
        const append$ = defer(() => append(batch)).pipe(
          throwIfEmpty(() => new StorageError('io', 'the journal did not say what became of the samples')),
          retryWith<Appended>(
            {
              classify,
              backoff: RETRY,
              onRetry: ({ reason, attempt }) => onFailure(reason, attempt),
            },
            random,
            clock.scheduler,
          ),
        );
        subscriber.add(append$.subscribe({ next: onAppended, error: giveUp, complete: land }));
      };

      const setRoom = () => {
        const waiting = uncommitted();
        const next = room ? waiting < highWater : waiting <= highWater / 2;
        if (next === room) return;
        room = next;
        onDemand(next);
      };

      const mayFly = () =>
        flying === 0 &&
        !subscriber.closed &&
        (queue.size() >= maxCount || due > 0 || (ended !== null && queue.size() > 0));

      // One loop at a time: a journal may answer within `append`, and a source within `onDemand`.
      const pump = () => {
        if (pumping || subscriber.closed) return;
        pumping = true;
        do {
          while (mayFly()) {
            timer?.unsubscribe();
            timer = undefined;
            const batch = queue.take(maxCount);
            due = Math.max(0, due - totalRows(batch));
            fly(batch);
          }
          setRoom();
        } while (mayFly());
        pumping = false;
        if (queue.size() > due && queue.size() < maxCount)
          timer ??= clock.scheduler.schedule(onDue, commitMs);
        tell(false);
        if (ended !== null && uncommitted() === 0 && !subscriber.closed) ended();
      };

      const onDue = () => {
        timer = undefined;
        due = queue.size();
        pump();
      };

      const add = (rows: SampleRows) => {
        queue.push(rows);
        const excess = uncommitted() - maxUncommitted;
        if (excess > 0) {
          if (!discarding) emit({ type: 'discarding', limit: maxUncommitted });
          discarding = true;
          queue.take(excess);
          countDiscarded(excess);
          due = Math.max(0, due - excess);
        }
        // The common case costs no more than this: the batch gathers and its timer runs.
        if (timer !== undefined && queue.size() < maxCount && uncommitted() < highWater) return;
        pump();
      };

      subscriber.add(() => timer?.unsubscribe());
      const end = (finish: () => void) => {
        ended = finish;
        pump();
      };
      subscriber.add(
        source.subscribe({
          next: add,
          error: (error) => end(() => subscriber.error(error)),
          complete: () => end(() => subscriber.complete()),
        }),
      );
    });
}

function classify(error: unknown): RetryVerdict {
  const reason = describe(error);
  if (error instanceof StorageError && error.code === 'closed') return { kind: 'give-up', reason };
  return { kind: 'retry', reason, afterMs: RETRY_LEAST_MS };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
