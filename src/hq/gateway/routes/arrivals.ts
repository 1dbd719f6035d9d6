/** `GET /api/v1/agents/:id/arrivals`. */
import { arrivalSchema } from '../../../protocol/arrival.ts';
import { pageOf } from '../paging.ts';
import { agentParametersSchema, durationSchema, pageSchema, rangeOf, rangeSchema } from '../parameters.ts';
import { createAgentFinder } from './agent-finder.ts';
import { type GatewayApp, problemResponses, type RouteContext } from './context.ts';

/** What a page takes in memory, with the frame that is read, bytes. */
const PAGE_BYTES = 4 * 1024 * 1024;
const LEAST_GAP_MS = 10_000;
/** Runs that a range has at most, where nothing comes twice: the rest is finer than anybody can see. */
const GAPS_OF_RANGE = 500;

const querySchema = rangeSchema.extend({
  gap: durationSchema
    .optional()
    .describe(
      'times further apart than this begin another run: 30s, 5m or ms. Default: a 500th of the range, at least 10 s',
    ),
  ...pageSchema.shape,
});

export function arrivalsRoute(app: GatewayApp, context: RouteContext): void {
  const { store, clock, reads } = context;
  const { knownId } = createAgentFinder(context);
  app.get(
    '/api/v1/agents/:id/arrivals',
    {
      config: { role: 'operator' },
      schema: {
        operationId: 'listArrivals',
        summary: 'When what was sampled arrived',
        description:
          "Samples with `from ≤ ts < to`, in runs by their own time: what was sampled from `tsMin` to `tsMax` arrived from `at0` to `at1`, by HQ's clock. Samples of one way whose times, and times of arrival, are no further apart than `gap` are one run. Samples that came thinned count with the earliest of those thinned together. A run that goes on beyond the end of a page goes on at the beginning of the next.",
        tags: ['samples'],
        params: agentParametersSchema,
        querystring: querySchema,
        response: { 200: pageOf(arrivalSchema), ...problemResponses(400, 401, 403, 404, 429, 503, 504) },
      },
    },
    async (request, reply) => {
      const { limit, cursor = null, gap, ...range } = request.query;
      const agent = await knownId(request.params.id);
      const { from, to } = rangeOf(range, clock.now());
      const gapMs = gap ?? Math.max(LEAST_GAP_MS, Math.ceil((to - from) / GAPS_OF_RANGE));
      const found = await reads.run({ request, reply }, PAGE_BYTES, () =>
        store.arrivals({ agent, from, to, gapMs, limit, cursor }),
      );
      return { items: [...found.items], cursor: found.cursor };
    },
  );
}
