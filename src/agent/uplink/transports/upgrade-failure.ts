/** A wish for a WebSocket that went out, and what came instead of one. */
import { catchError, throwError } from 'rxjs';
import { type Link, LinkError, type LinkFailure } from '../link.ts';

/** Where no HTTP status says more. */
const SEEN: ReadonlyMap<LinkFailure, string> = new Map([
  ['closed', 'the connection ends at the upgrade'],
  ['timeout', 'the upgrade gets no answer'],
  ['protocol', 'the upgrade gets no valid answer'],
]);

/** The failure of a connection that had asked for a WebSocket, and had heard nothing by one. */
export function withUpgrade(error: LinkError): LinkError {
  const upgrade = SEEN.get(error.kind);
  if (error.upgrade !== null || upgrade === undefined || error.wire !== null) return error;
  return new LinkError(error.kind, error.message, { cause: error.cause, upgrade });
}

/** Says what helps where WebSockets are blocked. HQ that is down behind a proxy looks the same, so it is no verdict. */
export function adviseOnUpgrades(link: Link): Link {
  return {
    ...link,
    connect: (options) =>
      link.connect(options).pipe(
        catchError((error: unknown) => {
          if (!(error instanceof LinkError) || error.upgrade === null) throw error;
          const { kind, message, upgrade, cause } = error;
          const advice =
            kind === 'upgrade_blocked'
              ? 'Let them through, or set uplink.transport to auto or polling.'
              : `If HQ runs there, something on the way may block WebSockets (${upgrade}): set uplink.transport to auto or polling.`;
          return throwError(() => new LinkError(kind, `${message} ${advice}`, { cause, upgrade }));
        }),
      ),
  };
}
