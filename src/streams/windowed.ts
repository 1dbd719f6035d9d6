import { defer, Observable, type OperatorFunction } from 'rxjs';
import { requireCount } from './options.ts';
import { untilClosed } from './until-closed.ts';

export type WindowedOptions = {
  /** How many projections may run at once, from now on; 0 pauses. Nothing starts before its first value. */
  readonly credit$: Observable<number>;
  /** Values that may wait for credit; one more is an error. Default 1024. */
  readonly maxWaiting?: number;
};

/** The source ran ahead of the credit by more values than may wait. */
export class WindowOverflowError extends Error {
  override readonly name = 'WindowOverflowError';
  constructor(maxWaiting: number) {
    super(`more than ${maxWaiting} values wait for credit: slow the source or raise maxWaiting`);
  }
}

/**
 * Runs `project` on each value, in order of arrival, with at most the current credit in flight. Like `mergeMap`
 * with a concurrency that the other side grants and changes. Less credit ends nothing that runs; it only keeps new
 * ones from starting.
 *
 * ```
 * credit$                                2----1-----------
 * source                                 abcd|
 * windowed({ credit$ }, v => 4 long)     ----AB--C---(D|)    c waited for a, d for c: the credit fell to 1
 * ```
 *
 * Completes when the source has completed and all its values are done, whatever credit$ does; when credit$
 * completes, its last value stays in force. An error of the source, of credit$ or of a projection passes at once
 * and ends the others.
 */
export function windowed<T, R>(
  options: WindowedOptions,
  project: (value: T) => Observable<R>,
): OperatorFunction<T, R> {
  const { credit$, maxWaiting = 1024 } = options;
  requireCount('maxWaiting', maxWaiting);
  return (source) =>
    new Observable<R>((subscriber) => {
      const waiting: T[] = [];
      let head = 0;
      let credit = 0;
      let inFlight = 0;
      let ended = false;
      let draining = false;

      const start = (value: T) => {
        inFlight += 1;
        defer(() => project(value))
          .pipe(untilClosed(subscriber))
          .subscribe({
            next: (result) => subscriber.next(result),
            error: (error) => subscriber.error(error),
            complete: () => {
              inFlight -= 1;
              drain();
            },
          });
      };
      // Projections that end at once come back here while it runs; the running loop serves them.
      const drain = () => {
        if (draining) return;
        draining = true;
        while (inFlight < credit && head < waiting.length && !subscriber.closed) {
          const value = waiting[head] as T;
          head += 1;
          start(value);
        }
        draining = false;
        if (head > 0) waiting.splice(0, head);
        head = 0;
        if (ended && inFlight === 0 && waiting.length === 0) subscriber.complete();
      };

      credit$.pipe(untilClosed(subscriber)).subscribe({
        next: (frames) => {
          credit = frames;
          drain();
        },
        error: (error) => subscriber.error(error),
      });
      if (subscriber.closed) return;
      source.pipe(untilClosed(subscriber)).subscribe({
        next: (value) => {
          if (waiting.length - head >= maxWaiting && !(inFlight < credit)) {
            subscriber.error(new WindowOverflowError(maxWaiting));
            return;
          }
          waiting.push(value);
          drain();
        },
        error: (error) => subscriber.error(error),
        complete: () => {
          ended = true;
          drain();
        },
      });
    });
}
