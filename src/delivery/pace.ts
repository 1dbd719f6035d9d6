import { Observable, of, type SchedulerLike, Subject } from 'rxjs';
import { tokenBucket } from '../streams/token-bucket.ts';

/**
 * Waits until the budget allows so many bytes: emits once, then completes. Those who wait go in the order they came.
 */
export type Pace = (bytes: number) => Observable<unknown>;

type Ticket = { readonly bytes: number; readonly granted$: Subject<true> };

/** The backlog's share of the line, with a burst of one second; 0 sets no limit. */
export function createPace(maxBytesPerSecond: number, scheduler: SchedulerLike): Pace {
  if (maxBytesPerSecond === 0) return () => of(true);
  const tickets$ = new Subject<Ticket>();
  tickets$
    .pipe(
      tokenBucket(
        {
          capacity: maxBytesPerSecond,
          refillPerSecond: maxBytesPerSecond,
          costOf: (ticket: Ticket) => (ticket.granted$.observed ? ticket.bytes : 0),
        },
        scheduler,
      ),
    )
    .subscribe(({ granted$ }) => {
      granted$.next(true);
      granted$.complete();
    });
  return (bytes) =>
    new Observable((subscriber) => {
      const granted$ = new Subject<true>();
      // Subscribed before asking: a ticket that nobody holds any more costs nothing.
      const holding = granted$.subscribe(subscriber);
      tickets$.next({ bytes, granted$ });
      return holding;
    });
}
