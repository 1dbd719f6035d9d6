import { audit, defer, map, type Observable, type OperatorFunction } from 'rxjs';

/**
 * Feeds a consumer that takes values more slowly than they come: what came since the last emission is gathered into one
 * value, which goes out when the consumer is ready. Like `audit`, but nothing is lost.
 *
 * ```
 * ready                              ----r---------r------
 * source                             -a-b----c-d----------|
 * conflate(() => ready, gather)      ----x---------y------|   x gathers a and b, y gathers c and d
 * ```
 *
 * Completes with the source, what still waits having gone out when the consumer was ready for it. Where `ready`
 * completes without a value, that goes out with the next one. Errors of the source, of `ready` and of `gather` pass at
 * once.
 *
 * @param ready subscribed to when the first value after an emission has come; its first value lets out what has
 *   gathered
 * @param gather adds a value to what has gathered, null at first; it may change that in place
 */
export function conflate<T, G extends object>(
  ready: () => Observable<unknown>,
  gather: (gathered: G | null, value: T) => G,
): OperatorFunction<T, G> {
  return (source) =>
    defer(() => {
      let gathered: G | null = null;
      return source.pipe(
        map((value) => {
          gathered = gather(gathered, value);
          return gathered;
        }),
        audit(ready),
        map((whole) => {
          // Before it goes out: its consumer may make the source emit again.
          gathered = null;
          return whole;
        }),
      );
    });
}
