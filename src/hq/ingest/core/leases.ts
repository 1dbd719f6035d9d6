/**
 * Leases: an agent id belongs to one live connection, and with it the epoch that it delivers. A second connection is
 * let in when it is the same process again (same `instance`), or when the first does not answer a probe.
 */
import { defer, map, type Observable, of } from 'rxjs';

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
  readonly holder: (agent: string) => H | undefined;
  /** Gives the lease back; nothing happens when another one holds it. */
  readonly release: (agent: string, holder: H) => boolean;
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
    holder: (agent) => held.get(agent),
    release: (agent, holder) => held.get(agent) === holder && held.delete(agent),
    size: () => held.size,
  };
}
