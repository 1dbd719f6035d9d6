/** Hands samples that came over HTTP to the store: once each, within the limits, durable before the answer. */
import { createHash } from 'node:crypto';
import { catchError, concatMap, defer, finalize, from, type Observable, reduce, timeout } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import type { InternedSchema, Sample } from '../../../protocol/sample.ts';
import { seriesKey, sourceSeriesKey } from '../../../protocol/schema-ref.ts';
import { Problem, unavailable } from '../../gateway/problem.ts';
import { type AgentRegistry, KeyReusedError, type SampleLog } from '../../store/store.ts';

/** A storage that has not answered by then is treated as unavailable, ms. */
export const STORE_DEADLINE_MS = 30_000;

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
  readonly store: SampleLog & AgentRegistry;
  readonly clock: Pick<Clock, 'now' | 'scheduler'>;
  readonly maxSeries: number;
  readonly maxAgents: number;
  readonly maxInFlight: number;
};

/** Emits the receipt once everything is durable. Errors: Problem; whatever the store failed with. */
export type Deliver = (delivery: Delivery) => Observable<DeliveryReceipt>;

export function createDeliver(options: DelivererOptions): Deliver {
  const { store, clock } = options;
  const known = new Set<string>();
  let inFlight = 0;

  /** Throws when one of the agents would go beyond its limits; nothing is stored then. */
  const checkLimits = (agents: readonly AgentSamples[]) => {
    const unknown = agents.filter(({ agent }) => !known.has(agent));
    if (unknown.length > 0) {
      for (const { agent } of store.agents()) known.add(agent);
      const fresh = unknown.filter(({ agent }) => !known.has(agent)).length;
      if (known.size + fresh > options.maxAgents) {
        throw new Problem(
          'too_many_agents',
          `HQ knows ${known.size} agents and takes ${options.maxAgents} at most (limits.maxAgents)`,
        );
      }
    }
    for (const { agent, samples } of agents) {
      const fresh = [...new Set(samples.map(({ schema }) => schema))].filter(
        ({ ref }) => store.schema(agent, ref) === undefined,
      );
      if (fresh.length > 0) checkSeries(agent, fresh);
    }
  };

  const checkSeries = (agent: string, fresh: readonly InternedSchema[]) => {
    const series = new Set(store.series(agent).map((one) => sourceSeriesKey(one.source, one.series)));
    for (const schema of fresh) {
      for (const one of schema.series) series.add(sourceSeriesKey(schema.source, seriesKey(one)));
    }
    if (series.size <= options.maxSeries) return;
    throw new Problem(
      'too_many_series',
      `agent ${agent} would have ${series.size} series and may have ${options.maxSeries} at most (limits.maxSeries)`,
    );
  };

  return ({ agents, identity, contentDigest }) =>
    defer(() => {
      if (inFlight >= options.maxInFlight) throw unavailable('too many deliveries are under way', 1);
      checkLimits(agents);
      const requests = agents.map(({ agent, samples }) => ({
        agent,
        samples,
        dedupKey: digest(agent, identity),
        contentHash: Buffer.from(contentDigest, 'hex'),
        arrivalTs: clock.now(),
      }));
      // Looked at for all before anything is stored: a conflict refuses the delivery as a whole.
      const taken = requests.find(store.reusesKey);
      if (taken !== undefined) throw keyReused(taken.agent);
      inFlight += 1;
      return from(requests).pipe(
        // One agent after the other: a request that fails half way is completed, not repeated, by its retry.
        concatMap((request) =>
          store.appendSamples(request).pipe(
            timeout({ first: STORE_DEADLINE_MS, scheduler: clock.scheduler }),
            catchError((error: unknown) => {
              throw error instanceof KeyReusedError ? keyReused(request.agent) : error;
            }),
          ),
        ),
        reduce(
          (sum, one) => ({ accepted: sum.accepted + one.stored, duplicate: sum.duplicate && one.duplicate }),
          { accepted: 0, duplicate: true } as DeliveryReceipt,
        ),
        finalize(() => {
          inFlight -= 1;
        }),
      );
    });
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
