/** The order in which every request is looked at before its body is read: rate (in the rate limiter), access, chaos. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { catchError, firstValueFrom } from 'rxjs';
import type { Emit } from '../../platform/telemetry.ts';
import { type Access, type AccessRequest, bearerToken, type Role } from '../access.ts';
import type { ChaosControl } from '../chaos.ts';
import { Problem, unavailable } from '../http/problem.ts';
import type { GatewayEvents } from './gateway-events.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may use the route; none: everybody. */
    role?: Role;
    /** Whether chaos spoils the route. */
    affectedByChaos?: boolean;
  }
}

/** Seconds after which a request that chaos refused may come again. */
export const CHAOS_RETRY_AFTER_S = 5;
const LOOKUP_RETRY_AFTER_S = 1;

export type GuardOptions = {
  readonly access: Access;
  readonly chaos: ChaosControl;
  readonly emit: Emit<GatewayEvents>;
};

export function registerGuard(app: FastifyInstance, { access, chaos, emit }: GuardOptions): void {
  app.addHook('onRequest', async (request) => {
    const { role, affectedByChaos } = request.routeOptions.config;
    if (role !== undefined) {
      const admission = await firstValueFrom(
        access.admit(role, accessRequest(request)).pipe(
          catchError((error: unknown) => {
            throw unavailable('HQ cannot look up who this is just now', LOOKUP_RETRY_AFTER_S, error);
          }),
        ),
      );
      if (!admission.ok) {
        emit({
          type: 'access_refused',
          role,
          reason: admission.reason,
          address: request.ip,
          where: request.url,
        });
        throw admission.reason === 'token'
          ? new Problem('unauthorized', admission.message, {
              headers: { 'www-authenticate': 'Bearer realm="holdfast"' },
            })
          : new Problem('forbidden', admission.message);
      }
    }
    if (affectedByChaos === true && (await firstValueFrom(chaos.admit())) !== 'pass') {
      throw unavailable('chaos has cut the link; send it again', CHAOS_RETRY_AFTER_S);
    }
  });
}

function accessRequest(request: FastifyRequest): AccessRequest {
  const { authorization, host, origin } = request.headers;
  return { token: bearerToken(authorization), host, origin };
}
