/** Hands samples that came over HTTP to the group commit: once each, within the limits, durable before the answer. */
import { createHash } from 'node:crypto';
import { catchError, concatMap, defer, forkJoin, map, type Observable, of } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import type { Sample } from '../../../protocol/sample.ts';
import { Problem, unavailable } from '../../http/problem.ts';
import type { AgentRegistry } from '../../store/store.ts';
import type { IngestCore } from '../core/ingest-core.ts';
import { QueueFullError } from '../core/queue-room.ts';
import { seriesWith } from '../core/series-with.ts';

/** Seconds after which a delivery that found the queue full may come again. */
const FULL_RETRY_AFTER_S = 1;

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
  readonly ingest: {
    readonly commits: Pick<IngestCore['commits'], 'deliver'>;
    readonly agents: IngestCore['agents'];
  };
  readonly store: Pick<AgentRegistry, 'lacks' | 'series'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly maxSeries: number;
  readonly maxAgents: number;
};

/**
 * Emits the receipt once everything is durable. A delivery that has begun is seen through, whether anyone waits for
 * its receipt or not. Errors: Problem; whatever the commit failed with, and then its repetition stores it once.
 */
export type Deliver = (delivery: Delivery) => Observable<DeliveryReceipt>;

export function createDeliver(options: DelivererOptions): Deliver {
  const { ingest, clock } = options;
  return ({ agents, identity, contentDigest }) =>
    defer(() => checkLimits(options, agents)).pipe(
      concatMap(() => {
        const parts = agents.map((one) => ({ ...one, dedupKey: digest(one.agent, identity) }));
        const contentHash = Buffer.from(contentDigest, 'hex');
        return ingest.commits.deliver({ parts, contentHash, arrivalTs: clock.now() });
      }),
      map(({ stored, keyReusedAt }) => {
        if (keyReusedAt !== null) throw keyReused(keyReusedAt);
        for (const { agent } of agents) ingest.agents.add(agent);
        return { accepted: stored, duplicate: stored === 0 };
      }),
      catchError((error: unknown) => {
        throw error instanceof QueueFullError ? unavailable(error.message, FULL_RETRY_AFTER_S) : error;
      }),
    );
}

/** Emits once; errors with a Problem when one of the agents would go beyond its limits: nothing is stored then. */
function checkLimits(options: DelivererOptions, agents: readonly AgentSamples[]): Observable<unknown> {
  const { ingest, maxAgents } = options;
  if (agents.length === 0) return of(undefined);
  return forkJoin(agents.map(({ agent }) => ingest.agents.has(agent))).pipe(
    concatMap((has) => {
      const known = ingest.agents.size();
      const fresh = has.filter((one) => !one).length;
      if (fresh > 0 && known + fresh > maxAgents) {
        throw new Problem(
          'too_many_agents',
          `HQ knows ${known} agents and takes ${maxAgents} at most (limits.maxAgents)`,
        );
      }
      return forkJoin(agents.map((one) => checkSeries(options, one)));
    }),
  );
}

function checkSeries(
  { store, maxSeries }: DelivererOptions,
  { agent, samples }: AgentSamples,
): Observable<void> {
  const schemas = [...new Set(samples.map(({ schema }) => schema))];
  return store
    .lacks(
      agent,
      schemas.map(({ ref }) => ref),
    )
    .pipe(
      concatMap((refs) => {
        const fresh = new Set(refs);
        return refs.length === 0
          ? of(0)
          : seriesWith(
              store,
              agent,
              schemas.filter(({ ref }) => fresh.has(ref)),
            );
      }),
      map((series) => {
        if (series <= maxSeries) return;
        throw new Problem(
          'too_many_series',
          `agent ${agent} would have ${series} series and may have ${maxSeries} at most (limits.maxSeries)`,
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

function digest(agent: string, identity: string): string {
  return createHash('sha256').update(`${agent}\n${identity}`).digest('hex');
}
