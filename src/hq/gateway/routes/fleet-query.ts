/** Buckets of series of many agents: `GET /api/v1/query`. */
import { firstValueFrom, from, map, mergeMap, Observable } from 'rxjs';
import { z } from 'zod';
import { bucketSchema } from '../../../protocol/bucket.ts';
import { effectiveLabels, type Labels } from '../../../protocol/labels.ts';
import { Problem } from '../../http/problem.ts';
import { pageOf } from '../paging.ts';
import {
  formatSchema,
  labelFilter,
  labelFilterSchema,
  listOf,
  rangeSchema,
  sourceSchema,
  statSchema,
  stepSchema,
} from '../parameters.ts';
import { answerBuckets } from '../reads/answer-buckets.ts';
import { groupingSchema, groupSeries, type MatchedSeries } from '../reads/group-series.ts';
import { type SeriesMatcher, seriesMatcher, seriesPatternSchema } from '../series-matcher.ts';
import { type AgentFinder, createAgentFinder } from './agent-finder.ts';
import { type GatewayApp, problemResponses, type RouteContext } from './context.ts';

/** Series of all agents together that one answer counts. */
const MAX_MATCHES = 100_000;
/** What they take in memory, bytes, at the most. */
const MATCH_BYTES = 32 * 1024 * 1024;
/** Agents whose series are looked at side by side: the store takes them in turns. */
const AGENTS_AT_ONCE = 64;

const agentSchema = z.string().min(1).max(64);
const querySchema = rangeSchema.extend({
  agent: z
    .union([agentSchema, z.array(agentSchema).max(1_000)])
    .optional()
    .describe('only of these agents; it may repeat. Default: of all but retired ones'),
  ...labelFilterSchema.shape,
  series: seriesPatternSchema,
  ...sourceSchema.shape,
  ...groupingSchema.shape,
  ...stepSchema.shape,
  ...statSchema.shape,
  ...formatSchema.shape,
});

const rowSchema = z.object({
  agent: z.string().optional(),
  source: z.string().optional(),
  series: z.string().optional(),
  labels: z
    .record(z.string(), z.string().nullable())
    .optional()
    .describe('those that rows are told apart by; null: of agents without it'),
  unit: z.string(),
  members: z.number().describe('series of agents that the row counts together'),
  buckets: z.array(bucketSchema),
});
const answerSchema = pageOf(rowSchema).extend({ from: z.number(), to: z.number(), stepMs: z.number() });

export function fleetQueryRoute(app: GatewayApp, context: RouteContext): void {
  const tools: Tools = { ...context, ...createAgentFinder(context) };
  app.get(
    '/api/v1/query',
    {
      config: { role: 'operator' },
      schema: {
        operationId: 'queryFleet',
        summary: 'Buckets of series of many agents',
        description:
          'One row an agent, source and series, or as `by` says: what falls in one row is counted together, value by value, so that its figures are those of all its values. Rows are ordered by what tells them apart. Series of different units are never counted together: the answer is 400 then. Figures are as in `GET /api/v1/agents/{id}/query`. An answer that takes longer than `limits.readTimeoutMs` is 504.',
        tags: ['series'],
        querystring: querySchema,
        response: {
          200: {
            content: {
              'application/json': { schema: answerSchema },
              'text/csv': { schema: z.string() },
            },
          },
          ...problemResponses(400, 401, 403, 404, 429, 503, 504),
        },
      },
    },
    async (request, reply) => {
      const { query } = request;
      const agents = await agentsOf(tools, query);
      const matches = await tools.reads.run({ request, reply }, MATCH_BYTES, () =>
        matchesIn(tools, agents, { fits: seriesMatcher(listOf(query.series)), source: query.source }),
      );
      const labelsOf = (agent: string): Labels => effectiveLabels(tools.fleet.labels(agent));
      const grouped = groupSeries(matches, query.by, { labelsOf, isFlat: query.format === 'csv' });
      return answerBuckets(tools, { request, reply }, { query, ...grouped, isOne: false });
    },
  );
}

type Tools = RouteContext & AgentFinder;
type Query = z.output<typeof querySchema>;

/** Rejects with a Problem when one that is named is not known. */
async function agentsOf(
  { store, fleet, deadline, knownId }: Tools,
  query: Query,
): Promise<readonly string[]> {
  const fits = labelFilter(query);
  const hasLabels = (agent: string) =>
    query.label === undefined || fits(effectiveLabels(fleet.labels(agent)));
  const named = [...new Set(listOf(query.agent))];
  if (named.length > 0) return (await Promise.all(named.map(knownId))).filter(hasLabels);
  const all = await firstValueFrom(store.agents().pipe(deadline()));
  return all.map(({ agent }) => agent).filter(hasLabels);
}

type Wanted = { readonly fits: SeriesMatcher; readonly source: string | undefined };

/** Errors with a Problem when they are too many. */
function matchesIn(
  { store }: Pick<RouteContext, 'store'>,
  agents: readonly string[],
  { fits, source }: Wanted,
): Observable<readonly MatchedSeries[]> {
  return new Observable((subscriber) => {
    const found: MatchedSeries[] = [];
    return from(agents)
      .pipe(mergeMap((agent) => store.series(agent).pipe(map((all) => ({ agent, all }))), AGENTS_AT_ONCE))
      .subscribe({
        next: ({ agent, all }) => {
          for (const one of all) {
            if ((source !== undefined && one.source !== source) || !fits(one.series)) continue;
            found.push({ agent, source: one.source, series: one.series, unit: one.unit });
          }
          if (found.length > MAX_MATCHES) subscriber.error(tooMany());
        },
        error: (error: unknown) => subscriber.error(error),
        complete: () => {
          subscriber.next(found);
          subscriber.complete();
        },
      });
  });
}

function tooMany(): Problem {
  const message = `are more than ${MAX_MATCHES} over all agents: name fewer of them, or fewer agents`;
  return new Problem('bad_request', `series: ${message}`, { errors: [{ field: 'series', message }] });
}
