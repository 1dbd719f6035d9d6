/**
 * The agents that HQ knows, whichever way they came: their number is bounded (`limits.maxAgents`). One that is new
 * takes a place before anything of it is stored, so that no number of them at once goes beyond the bound.
 */
import { forkJoin, map, type Observable, of } from 'rxjs';
import type { AgentRegistry } from '../../store/store.ts';

/** Places of agents that HQ does not know yet. */
export type Places = {
  /** They are stored: HQ knows them from now on. */
  readonly keep: () => void;
  /** Nothing of them was stored. Does nothing after `keep`. */
  readonly giveBack: () => void;
  /** The same places once more, to be kept or given back by themselves. */
  readonly again: () => Places;
};

export type KnownAgents = {
  /**
   * Takes a place for each of them that is new. Emits once; null when there are too few, and then takes none. Errors:
   * as of the store.
   */
  readonly claim: (agents: readonly string[]) => Observable<Places | null>;
  readonly add: (agent: string) => void;
  /** It is retired: its place is free. */
  readonly remove: (agent: string) => void;
  /** Places that are taken. */
  readonly size: () => number;
  /** Places that there are. */
  readonly max: number;
};

export type KnownAgentsOptions = {
  readonly store: Pick<AgentRegistry, 'agents' | 'agent'>;
  readonly maxAgents: number;
  /** Told at the start, and when the number of places taken has changed. */
  readonly onSize?: (size: number) => void;
  /** An agent found no place. */
  readonly onRefused?: () => void;
};

/** Emits once they are loaded. */
export function loadKnownAgents(options: KnownAgentsOptions): Observable<KnownAgents> {
  return options.store
    .agents()
    .pipe(map((agents) => createKnownAgents(options, new Set(agents.map(({ agent }) => agent)))));
}

function createKnownAgents(options: KnownAgentsOptions, known: Set<string>): KnownAgents {
  const { store, maxAgents, onSize = () => {}, onRefused = () => {} } = options;
  /** How many hold a place for each that is not known. */
  const claimed = new Map<string, number>();
  let told = -1;
  const size = () => known.size + claimed.size;
  const tell = () => {
    if (size() === told) return;
    told = size();
    onSize(told);
  };
  const add = (agent: string) => {
    claimed.delete(agent);
    known.add(agent);
    tell();
  };
  /** A commit that was given up after its deadline may have got through all the same. */
  const isKnown = (agent: string): Observable<boolean> =>
    known.has(agent)
      ? of(true)
      : store.agent(agent).pipe(map((record) => record !== null && record.retiredTs === undefined));
  const hold = (agents: readonly string[]): Places => {
    let held = true;
    for (const agent of agents) {
      if (!known.has(agent)) claimed.set(agent, (claimed.get(agent) ?? 0) + 1);
    }
    tell();
    return {
      keep: () => {
        held = false;
        for (const agent of agents) add(agent);
      },
      giveBack: () => {
        if (!held) return;
        held = false;
        for (const agent of agents) {
          const others = (claimed.get(agent) ?? 1) - 1;
          if (others > 0) claimed.set(agent, others);
          else claimed.delete(agent);
        }
        tell();
      },
      again: () => hold(agents),
    };
  };
  tell();
  return {
    claim: (agents) => {
      if (agents.length === 0) return of(hold([]));
      return forkJoin(agents.map(isKnown)).pipe(
        map((are) => {
          for (const [index, agent] of agents.entries()) if (are[index] === true) add(agent);
          const fresh = agents.filter((agent) => !known.has(agent));
          const needed = fresh.filter((agent) => !claimed.has(agent)).length;
          if (needed === 0 || size() + needed <= maxAgents) return hold(fresh);
          onRefused();
          return null;
        }),
      );
    },
    add,
    remove: (agent) => {
      known.delete(agent);
      tell();
    },
    size,
    max: maxAgents,
  };
}
