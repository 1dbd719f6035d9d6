/** `DELETE /api/v1/agents/:id`: takes an agent that comes no more out of those that count. */
import { firstValueFrom } from 'rxjs';
import { type AgentSummary, retiredAgentSchema } from '../../../protocol/api.ts';
import { Problem } from '../../http/problem.ts';
import { agentParametersSchema } from '../parameters.ts';
import { type GatewayApp, problemResponses, type RouteContext } from './context.ts';

/** `summaryOf`: rejects with a Problem when HQ does not know the agent. */
export function retireRoute(
  app: GatewayApp,
  context: RouteContext,
  summaryOf: (id: string) => Promise<AgentSummary>,
): void {
  const { store, fleet, ingest, clock, emit } = context;
  app.delete(
    '/api/v1/agents/:id',
    {
      config: { role: 'operator' },
      schema: {
        operationId: 'retireAgent',
        summary: 'Retire an agent that comes no more',
        description:
          'It leaves the lists, the totals and the number of agents that HQ takes (limits.maxAgents). Its samples stay until retention removes them, its ledger for good; both can be read by its id. The answer says what the ledger came to: pending ones are with the agent, and HQ has not got them. When something comes of the agent again it is back, with all this, if there is a place. One that is connected is refused: stop it first.',
        tags: ['agents'],
        params: agentParametersSchema,
        response: { 200: retiredAgentSchema, ...problemResponses(400, 401, 403, 404, 409, 429, 503) },
      },
    },
    async (request) => {
      const { id, connected, ...counts } = await summaryOf(request.params.id);
      if (connected) {
        throw new Problem(
          'agent_connected',
          `agent "${id}" is connected: stop it first, else it would be back at once`,
        );
      }
      const retiredTs = clock.now();
      await firstValueFrom(store.retire(id, retiredTs));
      ingest.agents.remove(id);
      fleet.retire(id);
      const { sampled, stored, pending, thinned, dropped } = counts;
      emit({ type: 'agent_retired', agent: id, sampled, stored, pending, thinned, dropped });
      return { id, retiredTs, sampled, stored, pending, thinned, dropped };
    },
  );
}
