/** Answers from memory, or with a read that is short. */
import { defer, type Observable, of } from 'rxjs';

/** Emits what `read` returns within the subscription, then completes. A throw is the error. */
export function atOnce<T>(read: () => T): Observable<T> {
  return defer(() => of(read()));
}
