/** Hands samples that came over HTTP to the group commit: once each, within the limits, durable before the answer. */
import { createHash } from 'node:crypto';
import {
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  endWith,
  ignoreElements,
  map,
  type Observable,
  tap,
} from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import type { Sample } from '../../../protocol/sample.ts';
import { Problem, unavailable } from '../../http/problem.ts';
import type { AgentRegistry, DeliveryOutcome } from '../../store/store.ts';
import type { IngestCore } from '../core/ingest-core.ts';
import { PURGE_RETRY_MS, PurgeRunningError } from '../core/known-agents.ts';
import { settingOf } from '../core/known-series.ts';
import { QueueFullError } from '../core/queue-room.ts';
import { seenThrough } from '../core/seen-through.ts';

/** Seconds after which a delivery that found the queue full may come again. */
const FULL_RETRY_AFTER_S = 1;
/** Seconds after which some of the deliveries that HQ remembers may be forgotten. */
const KEYS_RETRY_AFTER_S = 60;

export type AgentSamples = { readonly agent: string; readonly samples: readonly Sample[] };
export type DeliveryReceipt = { readonly accepted: number; readonly duplicate: boolean };

export type Delivery = {
  readonly agents: readonly AgentSamples[];
  /** What tells this delivery from every other: an idempotency key, or else the digest of its content. */
  readonly identity: string;
  /** SHA-256 of the content, hex: one identity must not stand for two contents. */
  readonly contentDigest: string;
};

export type DelivererOptions = {
  readonly ingest: Pick<IngestCore, 'agents' | 'series'> & {
    readonly commits: Pick<IngestCore['commits'], 'deliver'>;
  };
  readonly store: Pick<AgentRegistry, 'lacks'>;
  readonly clock: Pick<Clock, 'now'>;
};

/**
 * Emits the receipt once everything is durable. A delivery that has begun is seen through, whether anyone waits for
 * its receipt or not. Errors: Problem; whatever the commit failed with, and then its repetition stores it once.
 */
export type Deliver = (delivery: Delivery) => Observable<DeliveryReceipt>;

export function createDeliver(options: DelivererOptions): Deliver {
  const { ingest, clock } = options;
  return ({ agents, identity, contentDigest }) =>
    defer(() => takePlaces(options, agents)).pipe(
      concatMap((places) => {
        const parts = agents.map((one) => ({ ...one, dedupKey: digest(one.agent, identity) }));
        const contentHash = Buffer.from(contentDigest, 'hex');
        const delivery = { parts, contentHash, arrivalTs: clock.now() };
        const receipt$ = ingest.commits.deliver(delivery).pipe(map(receiptOf));
        return seenThrough(receipt$, (ok) => {
          for (const end of places) end(ok);
        });
      }),
      catchError((error: unknown) => {
        if (error instanceof PurgeRunningError) throw unavailable(error.message, PURGE_RETRY_MS / 1000);
        throw error instanceof QueueFullError ? unavailable(error.message, FULL_RETRY_AFTER_S) : error;
      }),
    );
}

function receiptOf({ stored, keyReusedAt, keysFullAt }: DeliveryOutcome): DeliveryReceipt {
  if (keyReusedAt !== null) throw keyReused(keyReusedAt);
  if (keysFullAt !== null) throw keysFull(keysFullAt);
  return { accepted: stored, duplicate: stored === 0 };
}

/** Told whether what the places are for was stored. */
type End = (stored: boolean) => void;

/**
 * Takes the places of what is new in a delivery. Emits once; errors with a Problem when one of the agents would go
 * beyond its limits: nothing is stored or taken then.
 */
function takePlaces(options: DelivererOptions, agents: readonly AgentSamples[]): Observable<readonly End[]> {
  const { ingest } = options;
  return ingest.agents.claim(agents.map(({ agent }) => agent)).pipe(
    concatMap((places) => {
      if (places === null) {
        throw new Problem(
          'too_many_agents',
          `HQ knows ${ingest.agents.size()} agents and takes ${ingest.agents.max} at most (limits.maxAgents): retire some`,
        );
      }
      const taken: End[] = [(stored) => (stored ? places.keep() : places.giveBack())];
      return concat(...agents.map((one) => takeSeries(options, one))).pipe(
        tap((end) => taken.push(end)),
        ignoreElements(),
        endWith(taken),
        tap({
          error: () => {
            for (const end of taken) end(false);
          },
        }),
      );
    }),
  );
}

/** Emits what ends them; completes without where no schema is new. */
function takeSeries({ ingest, store }: DelivererOptions, { agent, samples }: AgentSamples): Observable<End> {
  const schemas = [...new Set(samples.map(({ schema }) => schema))];
  const refs = schemas.map(({ ref }) => ref);
  return store.lacks(agent, refs).pipe(
    concatMap((lacking) => {
      if (lacking.length === 0) return EMPTY;
      const fresh = new Set(lacking);
      return ingest.series.claim(
        agent,
        schemas.filter(({ ref }) => fresh.has(ref)),
      );
    }),
    map((places) => {
      if (places.ok) return places.end;
      if ('waitMs' in places) {
        throw new Problem('rate_limited', `agent ${agent} brings new sets of series faster than HQ allows`, {
          headers: { 'retry-after': String(Math.ceil(places.waitMs / 1000)) },
        });
      }
      if ('what' in places) {
        throw new Problem(
          'too_many_schemas',
          `agent ${agent} would have ${places.count} ${places.what} and may have ${places.max} at most (${settingOf(places.what)}): each other set of names, attributes or units is a schema, and HQ keeps them for as long as samples need them`,
        );
      }
      throw new Problem(
        'too_many_series',
        `agent ${agent} would have ${places.series} series and may have ${ingest.series.max} at most (limits.maxSeries)`,
      );
    }),
  );
}

function keyReused(agent: string): Problem {
  return new Problem(
    'idempotency_key_reused',
    `this key was used for other content of agent ${agent}: give each delivery an Idempotency-Key of its own, and repeat one with the same body`,
    { errors: [{ field: 'idempotency-key', message: 'this key was used for other content' }] },
  );
}

function keysFull(agent: string): Problem {
  return new Problem(
    'too_many_keys',
    `HQ remembers as many deliveries of agent ${agent} as it may (limits.maxIdempotencyKeys; of all agents an eighth of retention.maxBytes), each for dedupTtlMs: put more records into one delivery`,
    { headers: { 'retry-after': String(KEYS_RETRY_AFTER_S) } },
  );
}

function digest(agent: string, identity: string): string {
  return createHash('sha256').update(`${agent}\n${identity}`).digest('hex');
}
