/** Tells when frames of an agent begin to wait, by its own word, and when they go again. */
import { concatMap, defer, EMPTY, type Observable, of } from 'rxjs';
import type { LinkEvent } from '../ingest/core/link-event.ts';

export type PauseChange = {
  readonly agent: string;
  /** Null: they go again. */
  readonly reason: string | null;
  /** When it ends, by the agent's clock, epoch ms; null: not known. */
  readonly until: number | null;
};

/** Keeps one word for each agent that waits. */
export function pauseChanges(links$: Observable<LinkEvent>): Observable<PauseChange> {
  return defer(() => {
    const reasons = new Map<string, string>();
    return links$.pipe(
      concatMap((event) => {
        if (event.kind !== 'heartbeat' || event.heartbeat.link === undefined) return EMPTY;
        const { agent } = event;
        const { paused: reason = null, pausedUntil: until = null } = event.heartbeat.link;
        if (reason === (reasons.get(agent) ?? null)) return EMPTY;
        if (reason === null) reasons.delete(agent);
        else reasons.set(agent, reason);
        return of({ agent, reason, until });
      }),
    );
  });
}
