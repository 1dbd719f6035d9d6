/** How long a write may stay without an answer, given what the way to the receiver is busy with. */
import { defer, type MonoTypeOperatorFunction, NEVER, type Observable, type SchedulerLike } from 'rxjs';
import { withDeadline } from '../streams/with-deadline.ts';

/** How the deadline of a write depends on the way to the receiver. */
export type Patience = {
  /** Time beyond the ack timeout that the way needs for it, ms; asked whenever the deadline begins. */
  readonly allowanceMs: () => number;
  /** Emits when something before it was answered: the deadline begins again. Asked when it is sent. */
  readonly progress$: () => Observable<unknown>;
};

export const IMPATIENT: Patience = { allowanceMs: () => 0, progress$: () => NEVER };

export type DeadlineOptions = {
  /** ms */
  readonly ackTimeoutMs: number;
  /** The error of a write that stayed without an answer for so long, ms. */
  readonly silence: (ms: number) => unknown;
};

/**
 * Bounds the silence of the receiver, not the whole of the write.
 *
 * ```
 * write                   ----------------
 * progress$               ---p------------
 * within(6)               ---------#
 * ```
 */
export function within<T>(
  { ackTimeoutMs, silence }: DeadlineOptions,
  patience: Patience,
  scheduler: SchedulerLike,
): MonoTypeOperatorFunction<T> {
  return (source) =>
    defer(() => {
      let ms = 0;
      const most = () => {
        ms = Math.round(ackTimeoutMs + patience.allowanceMs());
        return ms;
      };
      const silent = () => silence(ms);
      return source.pipe(withDeadline(most, scheduler, silent, patience.progress$()));
    });
}
