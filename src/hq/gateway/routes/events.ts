/** `GET /api/v1/agents/:id/events`. */
import { agentEventSchema } from '../../../protocol/agent-event.ts';
import { pageOf } from '../paging.ts';
import { agentParametersSchema, pageSchema, rangeOf, rangeSchema } from '../parameters.ts';
import { createAgentFinder } from './agent-finder.ts';
import { type GatewayApp, problemResponses, type RouteContext } from './context.ts';

/** What a page takes in memory, bytes. */
const PAGE_BYTES = 1024 * 1024;

export function eventsRoute(app: GatewayApp, context: RouteContext): void {
  const { store, clock, reads } = context;
  const { knownId } = createAgentFinder(context);
  app.get(
    '/api/v1/agents/:id/events',
    {
      config: { role: 'operator' },
      schema: {
        operationId: 'listEvents',
        summary: 'What has happened to an agent, oldest first',
        description:
          'States, links, epochs, jumps of its clock, pauses, alarms and labels, and what concerns all agents: starts and stops of HQ, and chaos. By the time at which HQ saw it. Kept for `retention.eventDays`, and `limits.maxEvents` of an agent.',
        tags: ['agents'],
        params: agentParametersSchema,
        querystring: rangeSchema.extend(pageSchema.shape),
        response: { 200: pageOf(agentEventSchema), ...problemResponses(400, 401, 403, 404, 429, 503, 504) },
      },
    },
    async (request, reply) => {
      const { limit, cursor = null, ...query } = request.query;
      const agent = await knownId(request.params.id);
      const range = rangeOf(query, clock.now());
      const found = await reads.run({ request, reply }, PAGE_BYTES, () =>
        store.events({ agent, ...range, limit, cursor }),
      );
      return { items: [...found.items], cursor: found.cursor };
    },
  );
}
