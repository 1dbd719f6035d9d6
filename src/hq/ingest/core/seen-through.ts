/** Work that goes on to its end although nobody waits for it any more. */
import { finalize, Observable, ReplaySubject, tap } from 'rxjs';

/** `ended` is told once, whether it succeeded. Unsubscribing ends nothing. */
export function seenThrough<T>(work: Observable<T>, ended: (ok: boolean) => void): Observable<T> {
  return new Observable<T>((subscriber) => {
    const result = new ReplaySubject<T>();
    let ok = false;
    const waiting = result.subscribe(subscriber);
    work
      .pipe(
        tap({
          complete: () => {
            ok = true;
          },
        }),
        finalize(() => ended(ok)),
      )
      .subscribe(result);
    return waiting;
  });
}
