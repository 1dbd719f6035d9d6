/**
 * Opens a connection alongside the standing one and ends it at once: no hello is said, so that HQ has no reason to
 * choose between them.
 */
import { catchError, defer, filter, map, type Observable, of, take, timeout } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import { type Link, LinkError, type Traffic } from '../link.ts';

/** Whether HQ answers there, and the bytes that it took both ways. */
export type ProbeResult = Traffic & { readonly answers: boolean };

/** Bounds what the link's own limit of silence does not, ms. */
const MAX_OPEN_MS = 60_000;

export type OpenBesideOptions = Pick<Clock, 'scheduler'> & {
  /** Told at the end of the bytes that it took. */
  readonly onTraffic: (traffic: Traffic) => void;
};

/**
 * Emits once, then completes: null, or why none opened. TLS, token, transport and everything on the way have their say.
 */
export function openBeside(
  link: Link,
  { scheduler, onTraffic }: OpenBesideOptions,
): Observable<LinkError | null> {
  return defer(() => {
    const tries: (() => Traffic)[] = [];
    const counted = <T>(outcome: T): T => {
      for (const traffic of tries) onTraffic(traffic());
      return outcome;
    };
    return link.connect({ onTry: (traffic) => void tries.push(traffic) }).pipe(
      filter(({ type }) => type === 'open'),
      map(() => counted(null)),
      take(1),
      timeout({
        first: MAX_OPEN_MS,
        scheduler,
        with: () => of(counted(new LinkError('timeout', `No connection within ${MAX_OPEN_MS / 1000} s.`))),
      }),
      catchError((error: unknown) => {
        if (!(error instanceof LinkError)) throw error;
        return of(counted(error));
      }),
    );
  });
}
