import { defer, Observable, type OperatorFunction } from 'rxjs';
import { untilClosed } from './until-closed.ts';

/** Folds a value that waits and the newer one into one. Default: the newer one wins. */
export type Fold<T> = (waiting: T, newer: T) => T;

/**
 * Feeds a slow consumer: at most one value is being consumed, at most one waits, and that is the newest (or the
 * fold of all that came meanwhile, for deltas). Emits what the consumers emit.
 *
 * ```
 * source                                  a-b-c-d-------|
 * conflate((v) => timer(5).map(() => v))  -----a----c----(d|)    c replaced b while a was consumed
 * ```
 *
 * Memory is bounded by one value. Completes when the source has completed and the last value is consumed; an error
 * of the source, of `consume` or of `fold` passes at once. Unsubscribing unsubscribes the consumer.
 */
export function conflate<T, R>(
  consume: (value: T) => Observable<R>,
  fold: Fold<T> = (_waiting, newer) => newer,
): OperatorFunction<T, R> {
  return (source) =>
    new Observable<R>((subscriber) => {
      let waiting: { readonly value: T } | null = null;
      let busy = false;
      let ended = false;

      // A loop instead of recursion: consumers that end at once must not deepen the stack.
      const drain = () => {
        while (!busy && waiting !== null && !subscriber.closed) {
          const { value } = waiting;
          waiting = null;
          busy = true;
          let starting = true;
          const done = () => {
            busy = false;
            if (!starting) drain();
          };
          defer(() => consume(value))
            .pipe(untilClosed(subscriber))
            .subscribe({
              next: (result) => subscriber.next(result),
              error: (error) => subscriber.error(error),
              complete: done,
            });
          starting = false;
        }
        if (ended && !busy) subscriber.complete();
      };

      source.pipe(untilClosed(subscriber)).subscribe({
        next: (value) => {
          try {
            waiting = { value: waiting === null ? value : fold(waiting.value, value) };
          } catch (error) {
            subscriber.error(error);
            return;
          }
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
