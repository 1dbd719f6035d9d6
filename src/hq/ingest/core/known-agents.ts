/**
 * The agents that HQ knows, whichever way they came: their number is bounded (`limits.maxAgents`). One that is new
 * takes a place before anything of it is stored, so that no number of them at once goes beyond the bound.
 */
import { concat, concatMap, defer, forkJoin, map, type Observable, of, ReplaySubject, tap } from 'rxjs';
import type { AgentRegistry } from '../../store/store.ts';
import { seenThrough } from './seen-through.ts';

/** The agent is being removed for good: what it has is taken once that is done. */
export class PurgeRunningError extends Error {
  override readonly name = 'PurgeRunningError';
  constructor(agent: string) {
    super(`agent ${agent} is being removed for good: what comes of it is taken again once that is done`);
  }
}
/** When an agent that is being removed may come again, ms. */
export const PURGE_RETRY_MS = 5_000;

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
   * PurgeRunningError; as of the store.
   */
  readonly claim: (agents: readonly string[]) => Observable<Places | null>;
  readonly add: (agent: string) => void;
  /** It is connected, and cannot be retired, until the function that is returned is called. */
  readonly occupy: (agent: string) => () => void;
  /**
   * Retires it, or begins to remove it, by `work`, which emits whether there was one, and frees its place as soon as it
   * has. Who claims it meanwhile waits. Emits null, and does nothing, while it is connected or something of it is being
   * looked at.
   */
  readonly retire: (agent: string, work: Observable<boolean>) => Observable<boolean | null>;
  /** Places that are taken. */
  readonly size: () => number;
  /** Places that there are. */
  readonly max: number;
};

export type KnownAgentsOptions = {
  readonly store: Pick<AgentRegistry, 'agents' | 'agent' | 'purgeOf'>;
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
  const use = createUse();
  const retiring = new Map<string, ReplaySubject<never>>();
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
    known.has(agent) ? of(true) : isStored(store, agent);
  /** `agents`: those of `all` that HQ does not know yet. */
  const hold = (all: readonly string[], agents: readonly string[]): Places => {
    let held = true;
    const ends = all.map(use.begin);
    for (const agent of agents) {
      if (!known.has(agent)) claimed.set(agent, (claimed.get(agent) ?? 0) + 1);
    }
    tell();
    return {
      keep: () => {
        held = false;
        for (const end of ends) end();
        for (const agent of agents) add(agent);
      },
      giveBack: () => {
        if (!held) return;
        held = false;
        for (const end of ends) end();
        for (const agent of agents) {
          const others = (claimed.get(agent) ?? 1) - 1;
          if (others > 0) claimed.set(agent, others);
          else claimed.delete(agent);
        }
        tell();
      },
      again: () => hold(all, agents),
    };
  };
  tell();
  const claim = (agents: readonly string[]): Observable<Places | null> =>
    defer(() => {
      const ending = agents.flatMap((agent) => retiring.get(agent) ?? []);
      if (ending.length > 0) return concat(...ending, claim(agents));
      if (agents.length === 0) return of(hold([], []));
      return forkJoin(agents.map(isKnown)).pipe(
        concatMap((are) => {
          // It may have begun while the store was asked.
          if (agents.some((agent) => retiring.has(agent))) return claim(agents);
          for (const [index, agent] of agents.entries()) if (are[index] === true) add(agent);
          const fresh = agents.filter((agent) => !known.has(agent));
          const needed = fresh.filter((agent) => !claimed.has(agent)).length;
          if (needed === 0 || size() + needed <= maxAgents) return of(hold(agents, fresh));
          onRefused();
          return of(null);
        }),
      );
    });
  return {
    claim,
    occupy: use.begin,
    retire: (agent, work) =>
      defer(() => {
        if (use.has(agent) || retiring.has(agent)) return of(null);
        const ended = new ReplaySubject<never>();
        retiring.set(agent, ended);
        return seenThrough(
          work.pipe(
            tap((done) => {
              if (done) known.delete(agent);
              tell();
            }),
          ),
          () => {
            retiring.delete(agent);
            ended.complete();
          },
        );
      }),
    add,
    size,
    max: maxAgents,
  };
}

/** Errors: PurgeRunningError; as of the store. */
function isStored(store: KnownAgentsOptions['store'], agent: string): Observable<boolean> {
  return forkJoin([store.agent(agent), store.purgeOf(agent)]).pipe(
    map(([record, purge]) => {
      if (purge?.isDone === false) throw new PurgeRunningError(agent);
      return record !== null && record.retiredTs === undefined;
    }),
  );
}

/** How often an agent is in use just now. */
function createUse() {
  const counts = new Map<string, number>();
  return {
    has: (agent: string) => counts.has(agent),
    begin: (agent: string) => {
      counts.set(agent, (counts.get(agent) ?? 0) + 1);
      let ended = false;
      return () => {
        if (ended) return;
        ended = true;
        const left = (counts.get(agent) ?? 1) - 1;
        if (left > 0) counts.set(agent, left);
        else counts.delete(agent);
      };
    },
  };
}
