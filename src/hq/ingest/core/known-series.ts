/**
 * The distinct series of each agent: their number is bounded (`limits.maxSeries`), whichever way their schemas come.
 * Those of new schemas take their places before they are stored, so that no number of schemas at once goes beyond the
 * bound. Series are told apart by source too.
 *
 * HQ keeps each schema for as long as samples need it, also of series that it knows: their number is bounded, too
 * (`limits.maxSchemas`), and the series in all of them. Of new ones an agent may bring so many series at once, and as
 * many in an hour.
 */
import { forkJoin, map, type Observable, of, tap } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import type { InternedSchema, Schema, SchemaRef } from '../../../protocol/sample.ts';
import { seriesKey, sourceSeriesKey } from '../../../protocol/series-key.ts';
import { createTokenLevel, type TokenLevel } from '../../../streams/token-level.ts';
import type { AgentRegistry, SchemaSize } from '../../store/store.ts';

export type SeriesPlaces =
  | {
      readonly ok: true;
      /** To be called once: whether they were stored. */
      readonly end: (stored: boolean) => void;
    }
  /** The agent would have so many. */
  | { readonly ok: false; readonly series: number }
  /** The agent would have so many schemas, or series in all its schemas. */
  | {
      readonly ok: false;
      readonly what: 'schemas' | 'series in its schemas';
      readonly count: number;
      readonly max: number;
    }
  /** It brings new schemas faster than it may. */
  | { readonly ok: false; readonly waitMs: number };

export type NewSchema = Pick<InternedSchema, 'ref' | 'source' | 'series'>;

export type KnownSeries = {
  /** Takes places for the series of these schemas. Emits once. Errors: as of the store. */
  readonly claim: (agent: string, schemas: readonly NewSchema[]) => Observable<SeriesPlaces>;
  /** All of the agent has been removed. */
  readonly forget: (agent: string) => void;
  /** Series that an agent may have. */
  readonly max: number;
};

/** What is under way of one agent. */
type Claims = {
  /** Claims that wait for the store's answer, or hold places. */
  users: number;
  readonly held: Set<Claimed>;
  /** Stored since others began to wait: an answer may be from before that. */
  readonly stored: Set<string>;
  readonly storedSchemas: Map<SchemaRef, number>;
};

type Claimed = {
  readonly keys: ReadonlySet<string>;
  /** How many series each schema has. */
  readonly sizes: ReadonlyMap<SchemaRef, number>;
};

/** Series of new schemas, at once and then in an hour; at least four times those that an agent may have. */
const NEW_SERIES = 40_000;
/** What a schema counts for besides its series. */
const SCHEMA_SERIES = 16;
const HOUR_S = 3_600;
/** Series in all schemas of an agent: so many times those that it may have. */
const SCHEMAS_SHARE = 40;

export const MAX_SCHEMAS = 10_000;

export type KnownSeriesOptions = {
  readonly store: Pick<AgentRegistry, 'seriesKeys' | 'schemas'>;
  readonly clock: Pick<Clock, 'precise'>;
  readonly maxSeries: number;
  readonly maxSchemas: number;
};

export function createKnownSeries(options: KnownSeriesOptions): KnownSeries {
  const { store, clock, maxSeries, maxSchemas } = options;
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
    forget: (agent) => void budgets.delete(agent),
    claim: (agent, schemas) => {
      const waitMs = spend(agent, schemas);
      if (waitMs > 0) return of({ ok: false, waitMs });
      const claims = byAgent.get(agent) ?? newClaims();
      byAgent.set(agent, claims);
      claims.users += 1;
      const mine = claimedOf(schemas);
      let decided = false;
      const giveUp = () => {
        if (decided) return;
        decided = true;
        leave(agent, claims);
      };
      return forkJoin([store.seriesKeys(agent), store.schemas(agent)]).pipe(
        map(([known, held]): SeriesPlaces => {
          const beyond =
            tooManySeries(known, { claims, mine, max: maxSeries }) ??
            tooManySchemas(held, { claims, mine, maxSchemas, maxSeries });
          if (beyond !== null) {
            giveUp();
            return beyond;
          }
          decided = true;
          claims.held.add(mine);
          return {
            ok: true,
            end: (stored) => {
              claims.held.delete(mine);
              if (stored) {
                for (const key of mine.keys) claims.stored.add(key);
                for (const [ref, series] of mine.sizes) claims.storedSchemas.set(ref, series);
              }
              leave(agent, claims);
            },
          };
        }),
        tap({ error: giveUp, unsubscribe: giveUp }),
      );
    },
  };
}

/** What bounds them. */
export const settingOf = (what: 'schemas' | 'series in its schemas'): string =>
  what === 'schemas' ? 'limits.maxSchemas' : `${SCHEMAS_SHARE} times limits.maxSeries`;

const newClaims = (): Claims => ({
  users: 0,
  held: new Set(),
  stored: new Set(),
  storedSchemas: new Map(),
});

type Claiming = { readonly claims: Claims; readonly mine: Claimed };

function tooManySeries(
  known: ReadonlySet<string>,
  { claims, mine, max }: Claiming & { readonly max: number },
): SeriesPlaces | null {
  const more = new Set<string>();
  for (const keys of [claims.stored, ...[...claims.held, mine].map((one) => one.keys)])
    for (const key of keys) if (!known.has(key)) more.add(key);
  const series = known.size + more.size;
  return series > max ? { ok: false, series } : null;
}

function tooManySchemas(
  known: readonly SchemaSize[],
  {
    claims,
    mine,
    maxSchemas,
    maxSeries,
  }: Claiming & { readonly maxSchemas: number; readonly maxSeries: number },
): SeriesPlaces | null {
  const all = new Map(known.map(({ ref, series }) => [ref, series]));
  for (const sizes of [claims.storedSchemas, ...[...claims.held, mine].map((one) => one.sizes)])
    for (const [ref, series] of sizes) all.set(ref, series);
  if (all.size > maxSchemas) return { ok: false, what: 'schemas', count: all.size, max: maxSchemas };
  const max = SCHEMAS_SHARE * maxSeries;
  let count = 0;
  for (const series of all.values()) count += series;
  return count > max ? { ok: false, what: 'series in its schemas', count, max } : null;
}

function claimedOf(schemas: readonly NewSchema[]): Claimed {
  return {
    keys: keysOf(schemas),
    sizes: new Map(schemas.map(({ ref, series }) => [ref, series.length])),
  };
}

function keysOf(schemas: readonly Pick<Schema, 'source' | 'series'>[]): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const { source, series } of schemas)
    for (const one of series) keys.add(sourceSeriesKey(source, seriesKey(one)));
  return keys;
}
