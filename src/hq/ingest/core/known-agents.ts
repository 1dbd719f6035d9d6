/** The agents that HQ knows, whichever way they came: their number is bounded (`limits.maxAgents`). */
import { map, type Observable, of } from 'rxjs';
import type { AgentRegistry } from '../../store/store.ts';

export type KnownAgents = {
  /** Emits once. Errors: as of the store. */
  readonly has: (agent: string) => Observable<boolean>;
  readonly add: (agent: string) => void;
  readonly size: () => number;
};

/** Emits once they are loaded. */
export function loadKnownAgents(store: Pick<AgentRegistry, 'agents' | 'agent'>): Observable<KnownAgents> {
  return store.agents().pipe(
    map((agents) => {
      const known = new Set(agents.map(({ agent }) => agent));
      return {
        has: (agent) =>
          known.has(agent)
            ? of(true)
            : // A commit that was given up after its deadline may have got through all the same.
              store.agent(agent).pipe(map((record) => record !== null)),
        add: (agent) => void known.add(agent),
        size: () => known.size,
      };
    }),
  );
}
