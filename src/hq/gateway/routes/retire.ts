/** `DELETE /api/v1/agents/:id`: takes an agent that comes no more out of those that count, or removes it for good. */
import { firstValueFrom, map, tap } from 'rxjs';
import { z } from 'zod';
import { purgedAgentSchema, retiredAgentSchema } from '../../../protocol/api.ts';
import { Problem } from '../../http/problem.ts';
import type { Purge } from '../../store/store.ts';
import { agentParametersSchema } from '../parameters.ts';
import type { AgentFinder } from './agent-finder.ts';
import { type GatewayApp, problemResponses, type RouteContext } from './context.ts';

const RETIRE =
  'It leaves the lists, the totals and the number of agents that HQ takes (limits.maxAgents). Its samples stay until retention removes them, its ledger for good; both can be read by its id. The answer says what the ledger came to: pending ones are with the agent, and HQ has not got them. When something comes of the agent again it is back, with all this, if there is a place. One that is connected is refused: stop it first.';
const PURGE =
  'With `purge=true` everything that is stored of it is removed, for good, also of one that is retired: samples, ledger, series, anomalies, labels. HQ answers 202 once that is noted, and does it in the background, also over a restart; until then the agent is not known any more (404, `removing`), and what comes of it waits (503). The same request again is answered 202 as long as it goes on and 204 when it is done. An agent that comes back after that is a new one; its ledger calls `purged` what HQ once held of its journal.';

const querySchema = z.object({
  purge: z
    .enum(['true', 'false'])
    .default('false')
    .describe('true: everything that is stored of it goes, too'),
});

export function retireRoute(app: GatewayApp, context: RouteContext, reads: AgentFinder): void {
  app.delete(
    '/api/v1/agents/:id',
    {
      config: { role: 'operator' },
      schema: {
        operationId: 'retireAgent',
        summary: 'Retire an agent that comes no more, or remove it for good',
        description: `${RETIRE}\n\n${PURGE}`,
        tags: ['agents'],
        params: agentParametersSchema,
        querystring: querySchema,
        response: {
          200: retiredAgentSchema,
          202: purgedAgentSchema,
          204: z.undefined().describe('it was removed for good, and nothing has come of it since'),
          ...problemResponses(400, 401, 403, 404, 409, 429, 503),
        },
      },
    },
    async ({ params, query, ip }, reply) => {
      if (query.purge === 'false') return retire(context, reads, params.id, ip);
      const purge = await purgeAgent(context, reads, params.id, ip);
      if (purge.isDone) return reply.code(204).send();
      return reply.code(202).send({ id: params.id, purgedTs: purge.ts, ...purge.counts });
    },
  );
}

async function retire(
  { store, fleet, ingest, clock, emit }: RouteContext,
  { summaryOf }: AgentFinder,
  agent: string,
  address: string,
) {
  const { id, sampled, stored, pending, thinned, dropped } = await summaryOf(agent);
  const retiredTs = clock.now();
  // At once with the commit: what is committed behind it brings the agent back.
  const retire$ = store.retire(id, retiredTs).pipe(tap((done) => done && fleet.retire(id)));
  const done = await firstValueFrom(ingest.agents.retire(id, retire$));
  if (done === null) throw connected(id);
  if (!done) throw new Problem('not_found', `agent "${id}" has been retired meanwhile`);
  const counts = { sampled, stored, pending, thinned, dropped };
  emit({ type: 'agent_retired', agent: id, address, ...counts });
  return { id, retiredTs, ...counts };
}

async function purgeAgent(
  { store, fleet, ingest, clock, emit }: RouteContext,
  { deadline, knownId }: AgentFinder,
  agent: string,
  address: string,
): Promise<Purge> {
  const before = await firstValueFrom(store.purgeOf(agent).pipe(deadline()));
  if (before !== null) return before;
  const id = await knownId(agent);
  let purge: Purge | null = null;
  const purge$ = store.purge(id, clock.now()).pipe(
    tap((noted) => {
      purge = noted;
      // At once with the commit: it is not known any more.
      if (noted !== null) fleet.retire(id);
    }),
    map((noted) => noted !== null),
  );
  const done = await firstValueFrom(ingest.agents.retire(id, purge$));
  if (done === null) throw connected(id);
  const noted = purge as Purge | null;
  if (noted === null) throw new Problem('not_found', `nothing is stored of an agent "${id}"`);
  emit({ type: 'agent_purged', agent: id, address, ...noted.counts });
  return noted;
}

function connected(id: string): Problem {
  return new Problem(
    'agent_connected',
    `agent "${id}" is connected, or something of it is arriving just now: stop it first, else it would be back at once`,
  );
}
