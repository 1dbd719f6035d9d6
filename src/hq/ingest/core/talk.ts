/** What messages of one connection other than frames take of HQ's processor, and which of them are looked at. */
import type { AgentMessageName } from '../../../protocol/agent-messages.ts';
import type { AgentPeer } from './agent-server.ts';
import { type Refused, refuse } from './refusal.ts';
import { HELLO_FIRST, type Session } from './session.ts';
import { createTalkLevel, debtWaitMs, HELLO_MS, parseMs } from './talk-level.ts';

export type Talk = {
  /** Refuses what is no hello before one was accepted, and of one that owes too much all; null: it may be parsed. */
  readonly admit: (event: AgentMessageName) => Refused | null;
  /** To be called for each message before it is handled; what it returns charges for it. Frames are free. */
  readonly begin: (event: unknown) => () => void;
};

export type TalkOptions = {
  readonly peer: Pick<AgentPeer, 'received'>;
  readonly session: Pick<Session, 'shared' | 'established'>;
  readonly throttle: (ms: number) => void;
  readonly violated: (detail: string) => void;
};

export function createTalk({ peer, session, throttle, violated }: TalkOptions): Talk {
  const { clock, talkOf } = session.shared;
  const spent = clock.cpu ?? clock.precise;
  const stranger = createTalkLevel();
  const agent = () => session.established()?.agent ?? null;
  const level = () => {
    const known = agent();
    return known === null ? stranger : talkOf(known);
  };
  let received = peer.received();
  /** Bytes that have come since the last message, which is among them. */
  const bytesOfMessage = () => {
    const now = peer.received();
    const bytes = now >= received ? now - received : now;
    received = now;
    return bytes;
  };
  return {
    admit: (event) => {
      if (event === 'frame') return null;
      const waitMs = debtWaitMs(level().debt(clock.precise()));
      if (waitMs > 0) {
        throttle(waitMs);
        const message = 'this agent has HQ work more on its messages than it may';
        return refuse('rate_limited', message, { retryAfterMs: waitMs });
      }
      if (event === 'hello' || agent() !== null) return null;
      violated(`${event} before hello`);
      return HELLO_FIRST;
    },
    begin: (event) => {
      const bytes = bytesOfMessage();
      if (event === 'frame') return () => {};
      const before = spent();
      return () => {
        const followsMs = event === 'hello' ? HELLO_MS : 0;
        const waitMs = level().take(spent() - before + parseMs(bytes) + followsMs, clock.precise());
        if (waitMs > 0) throttle(waitMs);
      };
    },
  };
}
