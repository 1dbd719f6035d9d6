/** Finds the agent that a path names. */
import { firstValueFrom, type MonoTypeOperatorFunction, timeout } from 'rxjs';
import type { AgentSummary } from '../../../protocol/api.ts';
import { Problem } from '../../http/problem.ts';
import type { RouteContext } from './context.ts';

export type AgentFinder = {
  /** Gives up reads that are short, and do not wait for a turn. */
  readonly deadline: <T>() => MonoTypeOperatorFunction<T>;
  /** Rejects with a Problem when HQ does not know the agent. */
  readonly summaryOf: (id: string) => Promise<AgentSummary>;
  /** The same id. Those of retired agents are known. */
  readonly knownId: (id: string) => Promise<string>;
};

/** A short read that takes longer is given up, ms. */
const READ_DEADLINE_MS = 30_000;

export function createAgentFinder({
  store,
  fleet,
  clock,
}: Pick<RouteContext, 'store' | 'fleet' | 'clock'>): AgentFinder {
  const deadline = <T>() => timeout<T, never>({ first: READ_DEADLINE_MS, scheduler: clock.scheduler });
  const recordOf = (id: string) => firstValueFrom(store.agent(id).pipe(deadline()));
  const neverHeardOf = async (id: string) => {
    const purge = await firstValueFrom(store.purgeOf(id).pipe(deadline()));
    if (purge === null) return new Problem('not_found', `HQ has never heard of an agent "${id}"`);
    const at = new Date(purge.ts).toISOString();
    return purge.isDone
      ? new Problem('not_found', `agent "${id}" was removed for good, as told at ${at}`)
      : new Problem('removing', `agent "${id}" is being removed for good since ${at}`);
  };
  return {
    deadline,
    summaryOf: async (id) => {
      const summary = await firstValueFrom(fleet.summary(id).pipe(deadline()));
      if (summary !== undefined) return summary;
      const retiredTs = (await recordOf(id))?.retiredTs;
      if (retiredTs === undefined) throw await neverHeardOf(id);
      const since = new Date(retiredTs).toISOString();
      throw new Problem(
        'not_found',
        `agent "${id}" is retired since ${since}; its ledger, and its samples until retention removes them, can be read`,
      );
    },
    knownId: async (id) => {
      const summary = await firstValueFrom(fleet.summary(id).pipe(deadline()));
      if (summary === undefined && (await recordOf(id)) === null) throw await neverHeardOf(id);
      return id;
    },
  };
}
