/**
 * Leases: an agent id belongs to one live connection, and with it the epoch that it delivers. A second connection is
 * let in when it is the same process again (same `instance`), or when the first does not answer a probe.
 *
 * Who may have a lease is asked and answered later; what the connections of this process hold is known at once. A
 * holder that loses its lease is ended before another one has it.
 */
import { defer, map, type Observable, of } from 'rxjs';
import { atOnce } from '../../at-once.ts';

export type Holder = {
  readonly instance: string;
  /** Emits once: whether the connection answered in time. */
  readonly probe: () => Observable<boolean>;
  /** Another connection asked for the lease and was refused. */
  readonly conflict: (message: string) => void;
  /** The lease has gone to another connection: end this one. */
  readonly end: (reason: string) => void;
};

export type Leases<H extends Holder> = {
  /** Emits once: whether `claimant` holds the agent's lease now. */
  readonly acquire: (agent: string, claimant: H) => Observable<boolean>;
  /** Tells the holder, wherever it is connected, that another one asked for its lease and was refused. */
  readonly warn: (agent: string, message: string) => void;
  /** Gives the lease back, then emits; nothing happens when another one holds it. */
  readonly release: (agent: string, holder: H) => Observable<void>;
  /** Ends the connection that holds it, and gives it back. */
  readonly end: (agent: string, reason: string) => void;
  readonly holds: (agent: string, holder: H) => boolean;
  /** Held by connections of this process. */
  readonly size: () => number;
};

export function createLeases<H extends Holder>(): Leases<H> {
  const held = new Map<string, H>();
  const take = (agent: string, claimant: H, from: H | undefined) => {
    held.set(agent, claimant);
    if (from !== undefined && from !== claimant) from.end('taken over');
    return true;
  };
  return {
    acquire: (agent, claimant) =>
      defer(() => {
        const first = held.get(agent);
        if (first === undefined || first === claimant || first.instance === claimant.instance) {
          return of(take(agent, claimant, first));
        }
        return first.probe().pipe(
          map((alive) => {
            const now = held.get(agent);
            // Meanwhile another claimant may have been faster, or the first may have gone by itself.
            if (now !== undefined && (now !== first || alive)) return now === claimant;
            return take(agent, claimant, now);
          }),
        );
      }),
    warn: (agent, message) => held.get(agent)?.conflict(message),
    release: (agent, holder) =>
      atOnce(() => {
        if (held.get(agent) === holder) held.delete(agent);
      }),
    end: (agent, reason) => {
      const holder = held.get(agent);
      held.delete(agent);
      holder?.end(reason);
    },
    holds: (agent, holder) => held.get(agent) === holder,
    size: () => held.size,
  };
}
