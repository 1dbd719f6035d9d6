/** HQ's HTTP server: routes, limits, access, errors and documents in one Fastify app. It does not listen yet. */
import type { IncomingMessage } from 'node:http';
import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import Fastify from 'fastify';
import { validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { BehaviorSubject, filter, firstValueFrom, race, timer } from 'rxjs';
import type { Logger } from '../../platform/logger.ts';
import { speakPlainly } from '../../platform/plain-error.ts';
import type { Access } from '../access.ts';
import { trustedProxiesOf } from '../config.ts';
import type { ConnectionLimits } from '../connection-limits.ts';
import { Problem } from '../http/problem.ts';
import type { Turns } from '../store/turns.ts';
import { registerBodyParsers } from './body.ts';
import { countBodies } from './body-count.ts';
import { boundConnections } from './bound-connections.ts';
import { answerClientError, answerInWords } from './client-error.ts';
import { createErrorHandler } from './error-handler.ts';
import { registerGuard } from './guard.ts';
import { answerHalfClosed } from './half-closed.ts';
import { isLarge, JsonText, jsonText } from './json-steps.ts';
import { registerNotFound } from './not-found.ts';
import { registerOpenApi } from './openapi.ts';
import { createReads } from './reads/reads.ts';
import { watchRequests } from './request-watch.ts';
import { agentRoutes } from './routes/agents.ts';
import { alarmRoutes } from './routes/alarms.ts';
import { arrivalsRoute } from './routes/arrivals.ts';
import { backupRoutes } from './routes/backups.ts';
import { chaosRoutes } from './routes/chaos.ts';
import type { GatewayApp, RouteContext } from './routes/context.ts';
import { completenessRoute, custodyRoute } from './routes/custody.ts';
import { eventsRoute } from './routes/events.ts';
import { fleetQueryRoute } from './routes/fleet-query.ts';
import { gpuRoutes } from './routes/gpus.ts';
import { operationRoutes } from './routes/operations.ts';
import { queryRoutes } from './routes/query.ts';
import { refusalRoutes } from './routes/refusals.ts';
import { streamRoute } from './routes/stream.ts';
import { telemetryRoutes } from './routes/telemetry.ts';
import { registerStaticDashboard } from './static-dashboard.ts';

export type GatewayOptions = Omit<RouteContext, 'reads'> & {
  readonly access: Access;
  readonly logger: Logger;
  readonly connections: ConnectionLimits;
};

/** A request of which nothing has arrived for so long is closed, ms. */
const REQUEST_SILENCE_MS = 30_000;
/** How long a stop waits for requests that are being handled, ms. */
const DRAIN_MS = 10_000;
const KEEP_ALIVE_MS = 72_000;

export async function createGateway(options: GatewayOptions): Promise<GatewayApp> {
  speakPlainly();
  const { config, clock, emit, logger, turns } = options;
  const bodies = countBodies(config.limits.bodyBytesAtOnce);
  const onError = createErrorHandler(logger, config.limits.bodyBytes);
  const app: GatewayApp = Fastify({
    logger: false,
    bodyLimit: config.limits.bodyBytes,
    keepAliveTimeout: KEEP_ALIVE_MS,
    trustProxy: config.trustProxy && ((_address, hop) => hop < config.trustedProxies),
    http: { IncomingMessage: bodies.CountedRequest, requireHostHeader: false },
    clientErrorHandler: (error, socket) =>
      answerClientError(error, socket, (status) => emit({ type: 'no_request', status })),
    routerOptions: { maxParamLength: 20_000, ignoreTrailingSlash: true },
    forceCloseConnections: true,
    return503OnClosing: true,
    frameworkErrors: onError,
  }).withTypeProvider<ZodTypeProvider>();
  boundConnections(app.server, {
    ...options.connections,
    trustedProxies: trustedProxiesOf(config),
    alarms: options.alarms,
    emit,
  });
  answerHalfClosed(app.server, clock);
  watchRequests(app.server, {
    silenceMs: REQUEST_SILENCE_MS,
    leastBytesPerSecond: config.limits.leastBytesPerSecond,
    max: config.limits.maxPendingRequests,
    bodies,
    clock,
    emit,
  });

  app.setValidatorCompiler(validatorCompiler);
  writeAnswers(app, turns);
  app.setErrorHandler(onError);
  registerBodyParsers(app);

  app.decorateRequest('startedAt', 0);
  app.addHook('onRequest', async (request) => {
    request.startedAt = clock.precise();
  });
  app.addHook('onResponse', async (request, reply) => {
    emit({
      type: 'http_request',
      method: request.method,
      route: request.routeOptions.url ?? 'none',
      status: reply.statusCode,
      durationMs: clock.precise() - request.startedAt,
    });
  });
  seeThrough(app, clock);

  answerInWords(app);
  const answerUnknown = registerNotFound(app);
  await app.register(helmet, helmetOptions);
  if (config.corsOrigins.length > 0) {
    await app.register(cors, {
      origin: config.corsOrigins,
      methods: ['GET', 'HEAD', 'PUT', 'POST', 'DELETE'],
      maxAge: 600,
    });
  }
  await app.register(rateLimit, {
    max: config.limits.requestsPerMinute,
    timeWindow: 60_000,
    cache: 10_000,
    allowList: ({ routeOptions: { config: route } }) =>
      route.role === undefined && route.rateLimit === undefined,
    errorResponseBuilder: (_request, { max }) =>
      new Problem(
        'rate_limited',
        `more than ${max} requests a minute from this address; come back as Retry-After says`,
      ),
  });
  await registerOpenApi(app, options.version);
  registerGuard(app, options);
  app.addHook('onRequest', answerUnknown);

  const reads = createReads({ limits: config.limits, clock, emit });
  await registerRoutes(app, { ...options, reads });
  await registerStaticDashboard(app, config.dashboard.dir);
  await app.ready();
  return app;
}

/** At a stop, requests that are being handled get their answer before every connection is closed. */
function seeThrough(app: GatewayApp, clock: GatewayOptions['clock']): void {
  const open$ = new BehaviorSubject(0);
  // Counts once a request is here whole: one that is still being sent could hold a stop up for ever.
  app.addHook('preValidation', async (request, reply) => {
    if (request.raw.socket.destroyed) return;
    open$.next(open$.value + 1);
    // Comes in any case, also when the client leaves.
    reply.raw.once('close', () => open$.next(open$.value - 1));
  });
  app.addHook('preClose', async () => {
    const drained$ = open$.pipe(filter((open) => open === 0));
    await firstValueFrom(race(drained$, timer(DRAIN_MS, clock.scheduler)));
  });
}

function writeAnswers(app: GatewayApp, turns: Turns): void {
  // Answers are typed by their schemas and tested against them; checking each one again at run time would cost more
  // than making it.
  app.setSerializerCompiler(() => (data) => (data instanceof JsonText ? data.text : JSON.stringify(data)));
  const write = async (payload: unknown) =>
    new JsonText(await firstValueFrom(turns.run(() => jsonText(payload))));
  /** Of answers that never change. */
  const kept = new WeakMap<object, Promise<JsonText>>();
  app.addHook('preSerialization', async (_request, _reply, payload) => {
    if (typeof payload !== 'object' || payload === null || !Object.isFrozen(payload))
      return isLarge(payload) ? write(payload) : payload;
    const known = kept.get(payload) ?? write(payload);
    kept.set(payload, known);
    return known;
  });
}

async function registerRoutes(app: GatewayApp, options: RouteContext): Promise<void> {
  operationRoutes(app, options);
  await app.register(async (scope: GatewayApp) => telemetryRoutes(scope, options));
  agentRoutes(app, options);
  queryRoutes(app, options);
  fleetQueryRoute(app, options);
  arrivalsRoute(app, options);
  custodyRoute(app, options);
  completenessRoute(app, options);
  eventsRoute(app, options);
  gpuRoutes(app, options);
  streamRoute(app);
  chaosRoutes(app, options);
  refusalRoutes(app, options);
  alarmRoutes(app, options);
  backupRoutes(app, options);
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Clock's `precise()` at arrival. */
    startedAt: number;
  }
}

/** Not every browser takes `'self'` to mean the WebSockets of the same host. */
function ownSockets({ headers }: IncomingMessage): string {
  const host = /^[\w.:[\]-]+$/.exec(headers.host ?? '')?.[0];
  return host === undefined ? "'self'" : `ws://${host} wss://${host}`;
}

const helmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      scriptSrc: ["'self'"],
      // React and uPlot set styles on elements.
      styleSrc: ["'self'", "'unsafe-inline'"],
      imgSrc: ["'self'", 'data:'],
      fontSrc: ["'self'", 'data:'],
      connectSrc: ["'self'", ownSockets],
      objectSrc: ["'none'"],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
    },
  },
  // HQ speaks plain HTTP; the TLS proxy before it decides about this.
  strictTransportSecurity: false,
};
