/** Buckets of series: `GET /api/v1/agents/:id/query`, and the same with one series in the path. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { firstValueFrom } from 'rxjs';
import { z } from 'zod';
import type { SeriesDocument } from '../../../protocol/api.ts';
import { bucketSchema } from '../../../protocol/bucket.ts';
import { Problem } from '../../http/problem.ts';
import { pageOf } from '../paging.ts';
import {
  agentParametersSchema,
  formatSchema,
  listOf,
  rangeSchema,
  seriesListSchema,
  seriesParametersSchema,
  seriesRestParametersSchema,
  sourceSchema,
  statSchema,
  stepSchema,
} from '../parameters.ts';
import { answerBuckets } from '../reads/answer-buckets.ts';
import { type AgentFinder, createAgentFinder } from './agent-finder.ts';
import { type GatewayApp, problemResponses, type RouteContext } from './context.ts';

const common = { config: { role: 'operator' } } as const;
const problems = problemResponses(400, 401, 403, 404, 429, 503, 504);

const spanSchema = z.object({ from: z.number(), to: z.number(), stepMs: z.number() });
const seriesHeadSchema = z.object({
  series: z.string(),
  source: z.string().describe('of the agent, that measures the series'),
  unit: z.string(),
});
const oneSchema = pageOf(bucketSchema)
  .extend({ ...seriesHeadSchema.shape, ...spanSchema.shape })
  .meta({ id: 'BucketsOfSeries', description: 'Of one series that was asked for.' });
const manySchema = pageOf(seriesHeadSchema.extend({ buckets: z.array(bucketSchema) }))
  .extend(spanSchema.shape)
  .meta({ id: 'BucketsOfManySeries', description: 'Of several, in the order in which they were asked for.' });
const csv = { 'text/csv': { schema: z.string() } };

/** What all forms of the question say of the answer. */
const BUCKETS =
  'Series of several sources are never mixed: when more than one source of the agent has the series, `source` must say which, else the answer is 400 and names them. Figures are null where nothing came. Samples that came thinned count too, `thinned` says how many: those thinned together count together, in the bucket of the earliest of them; `stddev` and percentiles are null then, and `approx` true. When they reach beyond that bucket, `until` says how far, and the buckets up to there may be empty. Those whose earliest is before `from` are left out. An answer that takes longer than `limits.readTimeoutMs` is 504.';
const querySchema = rangeSchema.extend({
  ...stepSchema.shape,
  ...sourceSchema.shape,
  ...statSchema.shape,
  ...formatSchema.shape,
});
type Query = z.output<typeof querySchema>;

export function queryRoutes(app: GatewayApp, context: RouteContext): void {
  const tools: Tools = { ...context, ...createAgentFinder(context) };
  app.get(
    '/api/v1/agents/:id/query',
    {
      ...common,
      schema: {
        operationId: 'queryBuckets',
        summary: 'Buckets of series of an agent',
        description: `Series stand in the query: a slash in a name, as in \`mountpoint=/\`, passes every proxy there. Of one series, \`items\` are its buckets; of several, \`items\` has an entry for each, with its \`buckets\`. ${BUCKETS}`,
        tags: ['series'],
        params: agentParametersSchema,
        querystring: querySchema.extend(seriesListSchema.shape),
        response: {
          200: { content: { 'application/json': { schema: z.union([oneSchema, manySchema]) }, ...csv } },
          ...problems,
        },
      },
    },
    async (request, reply) =>
      answerWith(
        tools,
        { request, reply, id: request.params.id, series: listOf(request.query.series) },
        request.query,
      ),
  );
  pathRoutes(app, tools);
}

/** With one series in the path. */
function pathRoutes(app: GatewayApp, tools: Tools): void {
  const response = { 200: { content: { 'application/json': { schema: oneSchema }, ...csv } }, ...problems };
  app.get(
    '/api/v1/agents/:id/series/:series',
    {
      ...common,
      schema: {
        operationId: 'getBuckets',
        summary: 'Buckets of one series, which stands in the path',
        description: `A slash in the name of the series is written %2F; where a proxy has decoded it, HQ takes it as it is. Some proxies refuse such paths, or make one slash of two: the query form passes them all. ${BUCKETS}`,
        tags: ['series'],
        params: seriesParametersSchema,
        querystring: querySchema,
        response,
      },
    },
    async (request, reply) =>
      answerWith(
        tools,
        { request, reply, id: request.params.id, series: [request.params.series] },
        request.query,
      ),
  );
  // The same again, as proxies that decode %2F pass it on.
  app.get(
    '/api/v1/agents/:id/series/*',
    {
      ...common,
      schema: { hide: true, params: seriesRestParametersSchema, querystring: querySchema, response },
    },
    async (request, reply) =>
      answerWith(
        tools,
        { request, reply, id: request.params.id, series: [request.params['*']] },
        request.query,
      ),
  );
}

type Tools = RouteContext & AgentFinder;
type Question = {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly id: string;
  readonly series: readonly string[];
};

async function answerWith(tools: Tools, question: Question, query: Query): Promise<FastifyReply> {
  const { store, deadline, knownId } = tools;
  const agent = await knownId(question.id);
  const all = await firstValueFrom(store.series(agent).pipe(deadline()));
  const heads = [...new Set(question.series)].map((series) => {
    const { source, unit } = seriesOf(agent, all, series, query.source);
    return { series, source, unit };
  });
  const counted = heads.map(({ series, source }, row) => ({ agent, series, source, row }));
  const columns = ['series', 'source', 'unit'];
  return answerBuckets(tools, question, {
    query,
    heads,
    columns,
    series: counted,
    isOne: heads.length === 1,
  });
}

/** Throws a Problem when no source, or more than one, has the series. */
function seriesOf(
  agent: string,
  known: readonly SeriesDocument[],
  series: string,
  source: string | undefined,
): SeriesDocument {
  const all = known.filter((one) => one.series === series);
  const [found, ...more] = source === undefined ? all : all.filter((one) => one.source === source);
  if (found === undefined) {
    const whose = source === undefined || all.length === 0 ? '' : ` of a source "${source}"`;
    throw new Problem('not_found', `agent "${agent}" has no series "${series}"${whose}`);
  }
  if (more.length === 0) return found;
  const message = `say which source measures it: ${all.map((one) => one.source).join(', ')}`;
  throw new Problem('bad_request', `source: several have the series "${series}"; ${message}`, {
    errors: [{ field: 'source', message }],
  });
}
