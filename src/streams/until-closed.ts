import { type MonoTypeOperatorFunction, Observable, type Subscriber, Subscription, takeUntil } from 'rxjs';

/**
 * Ends the source the moment `subscriber` is left, also in the middle of a synchronous run of values, when nobody
 * holds the source's subscription yet. The completion that this makes reaches a closed subscriber, so it says
 * nothing.
 */
export function untilClosed<T>(subscriber: Subscriber<unknown>): MonoTypeOperatorFunction<T> {
  return takeUntil(
    new Observable<void>((left) => {
      const teardown = new Subscription(() => left.next());
      subscriber.add(teardown);
      // Takes the teardown off the subscriber again when the source ends first.
      return () => subscriber.remove(teardown);
    }),
  );
}
