/**
 * The distinct series of each agent: their number is bounded (`limits.maxSeries`), whichever way their schemas come.
 * Those of new schemas take their places before they are stored, so that no number of schemas at once goes beyond the
 * bound. Series are told apart by source too.
 *
 * HQ keeps each schema for good, also of series that it knows: of new ones an agent may bring so many series at once,
 * and as many in an hour.
 */
import { map, type Observable, of, tap } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import type { Schema } from '../../../protocol/sample.ts';
import { seriesKey, sourceSeriesKey } from '../../../protocol/series-key.ts';
import { createTokenLevel, type TokenLevel } from '../../../streams/token-level.ts';
import type { AgentRegistry } from '../../store/store.ts';

export type SeriesPlaces =
  | {
      readonly ok: true;
      /** To be called once: whether they were stored. */
      readonly end: (stored: boolean) => void;
    }
  /** The agent would have so many. */
  | { readonly ok: false; readonly series: number }
  /** It brings new schemas faster than it may. */
  | { readonly ok: false; readonly waitMs: number };

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

/** Series of new schemas, at once and then in an hour; at least four times those that an agent may have. */
const NEW_SERIES = 40_000;
/** What a schema counts for besides its series. */
const SCHEMA_SERIES = 16;
const HOUR_S = 3_600;

export type KnownSeriesOptions = {
  readonly store: Pick<AgentRegistry, 'seriesKeys'>;
  readonly clock: Pick<Clock, 'precise'>;
  readonly maxSeries: number;
};

export function createKnownSeries({ store, clock, maxSeries }: KnownSeriesOptions): KnownSeries {
  const capacity = Math.max(NEW_SERIES, 4 * maxSeries);
  const budgets = new Map<string, TokenLevel>();
  /** Ms to wait; 0 where it is within the budget. */
  const spend = (agent: string, schemas: readonly Pick<Schema, 'series'>[]): number => {
    const budget = budgets.get(agent) ?? createTokenLevel({ capacity, refillPerSecond: capacity / HOUR_S });
    budgets.set(agent, budget);
    const cost = schemas.reduce((sum, { series }) => sum + SCHEMA_SERIES + series.length, 0);
    return budget.tryTake(cost, clock.precise());
  };
  const byAgent = new Map<string, Claims>();
  const leave = (agent: string, claims: Claims) => {
    claims.users -= 1;
    if (claims.users === 0) byAgent.delete(agent);
  };
  return {
    max: maxSeries,
    claim: (agent, schemas) => {
      const waitMs = spend(agent, schemas);
      if (waitMs > 0) return of({ ok: false, waitMs });
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
      return store.seriesKeys(agent).pipe(
        map((known): SeriesPlaces => {
          const more = new Set<string>();
          for (const keys of [claims.stored, ...claims.held, mine])
            for (const key of keys) if (!known.has(key)) more.add(key);
          const series = known.size + more.size;
          if (series > maxSeries) {
            giveUp();
            return { ok: false, series };
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
