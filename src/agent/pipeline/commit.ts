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
import {
  defer,
  Observable,
  type OperatorFunction,
  type Subscriber,
  type Subscription,
  throwIfEmpty,
} from 'rxjs';
import type { Appended, Journal } from '../../journal/port.ts';
import { errorText } from '../../platform/error-text.ts';
import { type SampleRows, totalRows } from '../../protocol/sample-block.ts';
import { StorageError } from '../../storage/storage.ts';
import type { BackoffOptions } from '../../streams/backoff.ts';
import { type RetryVerdict, retryWith } from '../../streams/retry-with.ts';
import { type CommitReport, createCommitReport } from './commit-report.ts';
import type { CommitStatus, PipelineOptions, PipelineSettings } from './pipeline-types.ts';
import { createSampleQueue, type SampleQueue } from './sample-queue.ts';

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
  return (source) =>
    new Observable((subscriber) => {
      const line = createLine(options, subscriber);
      const end = (finish: () => void) => {
        line.ended = finish;
        pump(line);
      };
      subscriber.add(() => line.timer?.unsubscribe());
      subscriber.add(
        source.subscribe({
          next: (rows) => add(line, rows),
          error: (error) => end(() => subscriber.error(error)),
          complete: () => end(() => subscriber.complete()),
        }),
      );
    });
}

/** What one subscription gathers and commits. */
type Line = {
  readonly options: CommitOptions;
  readonly subscriber: Subscriber<Appended>;
  readonly report: CommitReport;
  readonly queue: SampleQueue;
  /** Samples of one append at most. */
  readonly maxCount: number;
  /** From so many on that wait, `demand` is false. */
  readonly highWater: number;
  readonly onDue: () => void;
  /** Samples of the append under way. */
  flying: number;
  timer: Subscription | undefined;
  /** How many at the front of the queue have waited for their time. */
  due: number;
  ended: (() => void) | null;
  pumping: boolean;
  room: boolean;
};

function createLine(options: CommitOptions, subscriber: Subscriber<Appended>): Line {
  const { commitMs, commitMaxCount, maxUncommitted } = options.settings;
  // The batch under way cannot be discarded, so it must leave room for as much again.
  const fullCount = Math.min(commitMaxCount, Math.floor(maxUncommitted / 4));
  const line: Line = {
    options,
    subscriber,
    report: createCommitReport(options, () => uncommitted(line)),
    queue: createSampleQueue(),
    maxCount: commitMs === 0 ? 1 : fullCount,
    highWater: 2 * fullCount,
    onDue: () => {
      line.timer = undefined;
      line.due = line.queue.size();
      pump(line);
    },
    flying: 0,
    timer: undefined,
    due: 0,
    ended: null,
    pumping: false,
    room: true,
  };
  return line;
}

function uncommitted(line: Line): number {
  return line.queue.size() + line.flying;
}

function add(line: Line, rows: SampleRows): void {
  const { queue, report } = line;
  const { maxUncommitted } = line.options.settings;
  queue.push(rows);
  const excess = uncommitted(line) - maxUncommitted;
  if (excess > 0) {
    report.discarding(maxUncommitted);
    queue.take(excess);
    report.discarded(excess);
    line.due = Math.max(0, line.due - excess);
  }
  // The common case costs no more than this: the batch gathers and its timer runs.
  if (line.timer !== undefined && queue.size() < line.maxCount && uncommitted(line) < line.highWater) return;
  pump(line);
}

/** One loop at a time: a journal may answer within `append`, and a source within `onDemand`. */
function pump(line: Line): void {
  const { queue, subscriber } = line;
  if (line.pumping || subscriber.closed) return;
  line.pumping = true;
  do {
    while (mayFly(line)) {
      line.timer?.unsubscribe();
      line.timer = undefined;
      const batch = queue.take(line.maxCount);
      line.due = Math.max(0, line.due - totalRows(batch));
      fly(line, batch);
    }
    updateDemand(line);
  } while (mayFly(line));
  line.pumping = false;
  if (queue.size() > line.due && queue.size() < line.maxCount)
    line.timer ??= line.options.clock.scheduler.schedule(line.onDue, line.options.settings.commitMs);
  line.report.publish(false);
  if (line.ended !== null && uncommitted(line) === 0 && !subscriber.closed) line.ended();
}

function mayFly({ flying, subscriber, queue, maxCount, due, ended }: Line): boolean {
  if (flying !== 0 || subscriber.closed) return false;
  return queue.size() >= maxCount || due > 0 || (ended !== null && queue.size() > 0);
}

function updateDemand(line: Line): void {
  const waiting = uncommitted(line);
  const next = line.room ? waiting < line.highWater : waiting <= line.highWater / 2;
  if (next === line.room) return;
  line.room = next;
  line.options.onDemand(next);
}

function fly(line: Line, batch: readonly SampleRows[]): void {
  const { report, subscriber } = line;
  const { append, clock, random } = line.options;
  line.flying = totalRows(batch);
  const begun = clock.precise();
  const append$ = defer(() => append(batch)).pipe(
    throwIfEmpty(() => new StorageError('io', 'the journal did not say what became of the samples')),
    retryWith<Appended>(
      {
        classify,
        backoff: RETRY,
        onRetry: ({ reason, attempt }) => report.failed(reason, attempt),
      },
      random,
      clock.scheduler,
    ),
  );
  subscriber.add(
    append$.subscribe({
      next: (appended) => {
        report.appended(appended);
        subscriber.next(appended);
      },
      error: (error) => giveUp(line, error),
      complete: () => land(line, batch, begun),
    }),
  );
}

/** The batch is durable. */
function land(line: Line, batch: readonly SampleRows[], begun: number): void {
  const count = line.flying;
  line.flying = 0;
  line.report.committed(count, (line.options.clock.precise() - begun) / 1000);
  // Batches are parts of blocks in order, and this one is durable: what came before it is done with too.
  for (const rows of batch) if ('columns' in rows) rows.recycle?.();
  line.report.count();
  pump(line);
}

function giveUp(line: Line, error: unknown): void {
  const { report, queue } = line;
  report.failedForGood(errorText(error));
  const waiting = queue.size();
  queue.take(waiting);
  report.discarded(line.flying + waiting);
  line.flying = 0;
  report.publish(true);
  line.subscriber.complete();
}

function classify(error: unknown): RetryVerdict {
  const reason = errorText(error);
  if (error instanceof StorageError && error.code === 'closed') return { kind: 'give-up', reason };
  return { kind: 'retry', reason, afterMs: RETRY_LEAST_MS };
}
