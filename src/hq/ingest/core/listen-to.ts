/** Hands what comes of one connection to its handlers, and bounds what it may leave unanswered or get wrong. */
import { Subscription } from 'rxjs';
import { errorText } from '../../../platform/error-text.ts';
import {
  type AgentMessageName,
  type AgentMessages,
  agentMessageNames,
  agentMessages,
} from '../../../protocol/agent-messages.ts';
import type { AgentPeer } from './agent-server.ts';
import { guarded } from './guarded-handler.ts';
import { messageHandlers } from './handlers/handlers.ts';
import { otherVersion } from './handlers/version.ts';
import type { IngestEmit } from './ingest-events.ts';
import { type Refused, refuse } from './refusal.ts';
import { noteRefusedHello } from './refused-hello.ts';
import type { Session } from './session.ts';
import { createTalk } from './talk.ts';

/** Messages of one connection that may wait for an answer. */
const MAX_OUTSTANDING = 256;
const OUTSTANDING_RETRY_MS = 1_000;
const MAX_VIOLATIONS = 16;
/** Nothing is read for so long behind a hello that was refused, on this connection. */
const REFUSED_HELLO_MS = 250;

/** One connection with what is watched about it. */
export type Listened = {
  readonly peer: AgentPeer;
  readonly session: Session;
  readonly throttle: (ms: number) => void;
  /** It has said hello. */
  readonly heard: () => void;
};

export type ListenOptions = { readonly emit: IngestEmit; readonly cut: (reason: string) => void };

/** What it returns ends listening, and the work under way. */
export function listenTo(
  { peer, session, throttle, heard }: Listened,
  { emit, cut }: ListenOptions,
): Subscription {
  const work = new Subscription();
  const agent = () => session.established()?.agent ?? null;
  let outstanding = 0;
  let violations = 0;
  const violated = (detail: string) => {
    violations += 1;
    emit({ type: 'violation', agent: agent(), address: peer.address, detail });
    if (violations === MAX_VIOLATIONS) cut('protocol violations');
  };
  const talk = createTalk({ peer, session, throttle, violated });
  const common = {
    admit: (event: AgentMessageName) => {
      if (outstanding < MAX_OUTSTANDING) return talk.admit(event);
      throttle(OUTSTANDING_RETRY_MS);
      return refuse('rate_limited', `${MAX_OUTSTANDING} messages wait for an answer already`, {
        retryAfterMs: OUTSTANDING_RETRY_MS,
      });
    },
    onViolation: violated,
    onRefused: (event: string, { error }: Refused, [said]: readonly unknown[]) => {
      emit({ type: 'refused', event, code: error.code, agent: agent(), detail: error.message });
      if (event !== 'hello') return;
      noteRefusedHello(session, said, error);
      // An agent takes its time after that; one that does not waits here.
      throttle(REFUSED_HELLO_MS);
    },
    onFailure: (event: string, error: unknown) =>
      emit({ type: 'handler_failed', event, agent: agent(), error: errorText(error) }),
    onHandled: () => {
      if (session.established() !== null) heard();
    },
    onBegin: () => {
      outstanding += 1;
      return () => {
        outstanding -= 1;
      };
    },
    track: (one: Subscription) => {
      if (one.closed) return;
      work.add(one);
    },
  };

  const handlerOf = <N extends AgentMessageName>(event: N) => {
    const { args } = agentMessages[event];
    const handle = (...received: AgentMessages[N]['args']) => messageHandlers[event](session, ...received);
    return guarded({
      ...common,
      admit: () => common.admit(event),
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
      const charge = talk.begin(event);
      if (handler !== undefined) handler(...args);
      else violated(`unknown event ${String(event).slice(0, 64)}`);
      charge();
    }),
  );
  work.add(peer.faults$.subscribe(violated));
  return work;
}
