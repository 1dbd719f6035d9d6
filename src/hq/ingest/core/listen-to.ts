/** Hands what comes of one connection to its handlers, and bounds what it may leave unanswered or get wrong. */
import { Subscription, tap } from 'rxjs';
import { errorText } from '../../../platform/error-text.ts';
import {
  type AgentMessageName,
  type AgentMessages,
  agentMessageNames,
  agentMessages,
} from '../../../protocol/agent-messages.ts';
import { createTokenLevel } from '../../../streams/token-level.ts';
import type { AgentPeer } from './agent-server.ts';
import { type GuardOptions, guarded } from './guarded-handler.ts';
import { messageHandlers } from './handlers/handlers.ts';
import { otherVersion } from './handlers/version.ts';
import type { IngestEmit } from './ingest-events.ts';
import { refuse } from './refusal.ts';
import type { Session } from './session.ts';

/** Messages of one connection that may wait for an answer. */
const MAX_OUTSTANDING = 256;
const OUTSTANDING_RETRY_MS = 1_000;
const MAX_VIOLATIONS = 16;
/**
 * What messages other than frames may take of HQ's processor for one connection, ms a second, and saved up, ms: an
 * agent that says hello, sends a schema of 4,096 series and heartbeats needs some 20 ms. Beyond it nothing is read of
 * the connection until it is paid for. Frames have bounds of their own.
 */
const TALK_MS = { refillPerSecond: 50, capacity: 500 };

/** One connection with what is watched about it. */
export type Listened = {
  readonly peer: AgentPeer;
  readonly session: Session;
  readonly throttle: (ms: number) => void;
  /** It has said hello. */
  readonly heard: () => void;
};

/** Of a message, before it comes here: about what the parsing of a heartbeat takes. */
const PARSE_MS = 0.1;

export type ListenOptions = { readonly emit: IngestEmit; readonly cut: (reason: string) => void };

/** What it returns ends listening, and the work under way. */
export function listenTo(
  { peer, session, throttle, heard }: Listened,
  { emit, cut }: ListenOptions,
): Subscription {
  const { clock } = session.shared;
  const talk = createTokenLevel(TALK_MS);
  const work = new Subscription();
  const agent = () => session.established()?.agent ?? null;
  let outstanding = 0;
  let violations = 0;
  const violated = (detail: string) => {
    violations += 1;
    emit({ type: 'violation', agent: agent(), address: peer.address, detail });
    if (violations === MAX_VIOLATIONS) cut('protocol violations');
  };
  const common = {
    admit: () => {
      if (outstanding < MAX_OUTSTANDING) return null;
      throttle(OUTSTANDING_RETRY_MS);
      return refuse('rate_limited', `${MAX_OUTSTANDING} messages wait for an answer already`, {
        retryAfterMs: OUTSTANDING_RETRY_MS,
      });
    },
    onViolation: violated,
    onRefused: (event, { error }) =>
      emit({ type: 'refused', event, code: error.code, agent: agent(), detail: error.message }),
    onFailure: (event, error) =>
      emit({ type: 'handler_failed', event, agent: agent(), error: errorText(error) }),
    onBegin: () => {
      outstanding += 1;
      return () => {
        outstanding -= 1;
      };
    },
    track: (one) => {
      if (one.closed) return;
      work.add(one);
    },
  } satisfies Partial<GuardOptions<readonly unknown[], object>>;

  const handlerOf = <N extends AgentMessageName>(event: N) => {
    const { args } = agentMessages[event];
    const handle = (...received: AgentMessages[N]['args']) =>
      messageHandlers[event](session, ...received).pipe(
        tap(() => {
          if (session.established() !== null) heard();
        }),
      );
    return guarded({
      ...common,
      event,
      args,
      handle,
      ...(event === 'hello' ? { excuse: otherVersion } : {}),
    });
  };
  const handlers = new Map<unknown, (...received: unknown[]) => void>(
    agentMessageNames.map((name) => [name, handlerOf(name)]),
  );
  work.add(
    peer.messages$.subscribe(({ event, args }) => {
      const handler = handlers.get(event);
      const begunAt = clock.precise();
      if (handler !== undefined) handler(...args);
      else violated(`unknown event ${String(event).slice(0, 64)}`);
      if (event === 'frame') return;
      const now = clock.precise();
      const waitMs = talk.take(now - begunAt + PARSE_MS, now);
      if (waitMs > 0) throttle(waitMs);
    }),
  );
  work.add(peer.faults$.subscribe(violated));
  return work;
}
