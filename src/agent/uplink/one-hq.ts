/**
 * A link to one HQ only: that which holds what this epoch has delivered. At another one all of that would count as
 * lost.
 *
 * The journal notes durably which HQ it is before anything is sent to it. hello says so, for HQ to refuse an agent that
 * is not its own before it accounts for anything; and the agent refuses an HQ that answers with another identity. As
 * long as HQ has acknowledged nothing, the epoch is free to begin with any. An HQ of 0.1 tells no identity and is taken
 * as it is.
 */
import { catchError, concatMap, defer, map, type Observable, of, throwError } from 'rxjs';
import type { Journal } from '../../journal/port.ts';
import type { HelloReply } from '../../protocol/events.ts';
import { StorageError } from '../../storage/storage.ts';
import { type Link, LinkError, type LinkSession } from './link.ts';

export type OneHqJournal = Pick<Journal, 'stats' | 'noteHq'>;

/** The same link, whose hello fails with a LinkError of kind `other_hq` at another HQ. */
export function createOneHqLink(link: Link, journal: OneHqJournal): Link {
  return {
    ...link,
    connect: (options) =>
      link
        .connect(options)
        .pipe(
          map((event) =>
            event.type === 'open' ? { ...event, session: bound(event.session, journal) } : event,
          ),
        ),
  };
}

function bound(session: LinkSession, journal: OneHqJournal): LinkSession {
  const { url } = session.way;
  return {
    ...session,
    hello: (hello) =>
      defer(() => {
        const own = boundTo(journal);
        return session.hello(own === null ? hello : { ...hello, hq: own }).pipe(
          concatMap((reply): Observable<HelloReply> => {
            if (!reply.ok) {
              const isOther = reply.error.code === 'other_hq';
              return isOther ? throwError(() => otherHq(url, reply.error.message)) : of(reply);
            }
            const { hq } = reply;
            if (hq === undefined || hq === journal.stats().hq) return of(reply);
            if (own !== null) return throwError(() => otherHq(url, `its identity is ${hq}, not ${own}`));
            return journal.noteHq(hq).pipe(
              map(() => reply),
              catchError((error: unknown) => throwError(() => unnoted(error))),
            );
          }),
        );
      }),
  };
}

/** The HQ that holds something of the epoch; null when none is known to. */
export function boundTo(journal: Pick<Journal, 'stats'>): string | null {
  const { hq, acked, released } = journal.stats();
  return acked > 0 || released > 0 ? hq : null;
}

function otherHq(url: string, detail: string): LinkError {
  const advice =
    'Give the address of that HQ (--hq), or restart this agent with --new-epoch to deliver here what is pending; what was delivered there is not in the ledger here.';
  return new LinkError(
    'other_hq',
    `The HQ at ${url} is not the one that holds what this agent has delivered: ${detail}. ${advice}`,
  );
}

function unnoted(error: unknown): unknown {
  if (!(error instanceof StorageError)) return error;
  return new LinkError('closed', `The journal cannot note which HQ it speaks with: ${error.message}`, {
    cause: error,
  });
}
