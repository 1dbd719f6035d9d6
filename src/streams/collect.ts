import { Observable, type OperatorFunction, type SchedulerLike, type Subscription } from 'rxjs';
import { requireAtLeast, requireCount } from './options.ts';
import { untilClosed } from './until-closed.ts';

export type CollectOptions<T> = {
  /** Longest wait of a batch's first value, ms; 0 = every value is a batch of its own; Infinity = no limit. */
  readonly maxMs: number;
  /** Values in a batch at most. Default: no limit. */
  readonly maxCount?: number;
  /** Sum of `sizeOf` in a batch at most; a single larger value goes alone. Default: no limit. */
  readonly maxBytes?: number;
  /** Size of a value in bytes. Default: 0. */
  readonly sizeOf?: (value: T) => number;
};

/**
 * Gathers values into batches, in order. A batch is emitted `maxMs` after its first value, or sooner when its count
 * or bytes are reached, or when the next value would take it beyond its bytes. No batch is empty.
 *
 * ```
 * source                                 -a-b---------c-d-e-f-|
 * collect({ maxMs: 5, maxCount: 3 })     ------x----------y---(z|)   x = [a, b], y = [c, d, e], z = [f]
 * ```
 *
 * Completion and errors of the source come after the values gathered so far. Unsubscribing discards them.
 */
export function collect<T>(
  options: CollectOptions<T>,
  scheduler: SchedulerLike,
): OperatorFunction<T, readonly T[]> {
  const { maxMs, maxCount = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY } = options;
  const sizeOf = options.sizeOf ?? (() => 0);
  requireAtLeast('maxMs', maxMs, 0);
  if (maxCount !== Number.POSITIVE_INFINITY) requireCount('maxCount', maxCount);
  requireAtLeast('maxBytes', maxBytes, 1);
  return (source) =>
    new Observable((subscriber) => {
      let batch: T[] = [];
      let bytes = 0;
      let timer: Subscription | undefined;

      const flush = () => {
        timer?.unsubscribe();
        timer = undefined;
        if (batch.length === 0) return;
        const full = batch;
        // Emptied first: the consumer may make the source emit again.
        batch = [];
        bytes = 0;
        subscriber.next(full);
      };
      const add = (value: T, size: number) => {
        if (bytes + size > maxBytes) flush();
        batch.push(value);
        bytes += size;
        if (maxMs === 0 || batch.length >= maxCount || bytes >= maxBytes) flush();
        else if (maxMs !== Number.POSITIVE_INFINITY) timer ??= scheduler.schedule(flush, maxMs);
      };

      subscriber.add(() => timer?.unsubscribe());
      const fail = (error: unknown) => {
        flush();
        subscriber.error(error);
      };
      source.pipe(untilClosed(subscriber)).subscribe({
        next: (value) => {
          let size: number;
          try {
            size = sizeOf(value);
          } catch (error) {
            fail(error);
            return;
          }
          add(value, size);
        },
        error: fail,
        complete: () => {
          flush();
          subscriber.complete();
        },
      });
    });
}
