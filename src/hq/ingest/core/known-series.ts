/**
 * The distinct series of each agent: their number is bounded (`limits.maxSeries`), whichever way their schemas come.
 * Those of new schemas take their places before they are stored, so that no number of schemas at once goes beyond the
 * bound. Series are told apart by source too.
 */
import { map, type Observable, tap } from 'rxjs';
import type { Schema } from '../../../protocol/sample.ts';
import { seriesKey, sourceSeriesKey } from '../../../protocol/series-key.ts';
import type { AgentRegistry } from '../../store/store.ts';

export type SeriesPlaces =
  | {
      readonly ok: true;
      /** To be called once: whether they were stored. */
      readonly end: (stored: boolean) => void;
    }
  /** The agent would have so many. */
  | { readonly ok: false; readonly series: number };

export type KnownSeries = {
  /** Takes places for the series of these schemas. Emits once. Errors: as of the store. */
  readonly claim: (
    agent: string,
    schemas: readonly Pick<Schema, 'source' | 'series'>[],
  ) => Observable<SeriesPlaces>;
  /** Series that an agent may have. */
  readonly max: number;
};

/** What is under way of one agent. */
type Claims = {
  /** Claims that wait for the store's answer, or hold places. */
  users: number;
  readonly held: Set<ReadonlySet<string>>;
  /** Stored since others began to wait: an answer may be from before that. */
  readonly stored: Set<string>;
};

export function createKnownSeries(store: Pick<AgentRegistry, 'series'>, maxSeries: number): KnownSeries {
  const byAgent = new Map<string, Claims>();
  const leave = (agent: string, claims: Claims) => {
    claims.users -= 1;
    if (claims.users === 0) byAgent.delete(agent);
  };
  return {
    max: maxSeries,
    claim: (agent, schemas) => {
      const claims = byAgent.get(agent) ?? { users: 0, held: new Set(), stored: new Set() };
      byAgent.set(agent, claims);
      claims.users += 1;
      const mine = keysOf(schemas);
      let decided = false;
      const giveUp = () => {
        if (decided) return;
        decided = true;
        leave(agent, claims);
      };
      return store.series(agent).pipe(
        map((known): SeriesPlaces => {
          const all = new Set(known.map(({ source, series }) => sourceSeriesKey(source, series)));
          for (const keys of [claims.stored, ...claims.held, mine]) for (const key of keys) all.add(key);
          if (all.size > maxSeries) {
            giveUp();
            return { ok: false, series: all.size };
          }
          decided = true;
          claims.held.add(mine);
          return {
            ok: true,
            end: (stored) => {
              claims.held.delete(mine);
              if (stored) for (const key of mine) claims.stored.add(key);
              leave(agent, claims);
            },
          };
        }),
        tap({ error: giveUp, unsubscribe: giveUp }),
      );
    },
  };
}

function keysOf(schemas: readonly Pick<Schema, 'source' | 'series'>[]): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const { source, series } of schemas)
    for (const one of series) keys.add(sourceSeriesKey(source, seriesKey(one)));
  return keys;
}
