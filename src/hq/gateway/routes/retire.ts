/** `DELETE /api/v1/agents/:id`: takes an agent that comes no more out of those that count. */
import { firstValueFrom, tap } from 'rxjs';
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
      const { id, ...counts } = await summaryOf(request.params.id);
      const retiredTs = clock.now();
      // At once with the commit: what is committed behind it brings the agent back.
      const retire$ = store.retire(id, retiredTs).pipe(tap((done) => done && fleet.retire(id)));
      const done = await firstValueFrom(ingest.agents.retire(id, retire$));
      if (done === null) {
        throw new Problem(
          'agent_connected',
          `agent "${id}" is connected, or something of it is arriving just now: stop it first, else it would be back at once`,
        );
      }
      if (!done) throw new Problem('not_found', `agent "${id}" has been retired meanwhile`);
      const { sampled, stored, pending, thinned, dropped } = counts;
      emit({ type: 'agent_retired', agent: id, sampled, stored, pending, thinned, dropped });
      return { id, retiredTs, sampled, stored, pending, thinned, dropped };
    },
  );
}
