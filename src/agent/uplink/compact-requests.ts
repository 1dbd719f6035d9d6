/**
 * Sends an agent's requests as compact messages where hello has agreed on protocol 2, and as Socket.IO events
 * otherwise.
 *
 * Until HQ's answer to hello says so nothing is compact: an HQ of protocol 1 would close the connection. Frames and
 * heartbeats are compact then; what is rare stays an event.
 */
import type { AgentMessageName } from '../../protocol/agent-messages.ts';
import { agreesOnCompact } from '../../protocol/compact/agreement.ts';
import { CompactError } from '../../protocol/compact/compact-error.ts';
import { type DownMessage, decodeDown } from '../../protocol/compact/down.ts';
import { leavesOf } from '../../protocol/compact/heartbeat-delta.ts';
import {
  encodeFrameMessage,
  encodeHeartbeatMessage,
  type KnownHeartbeat,
  REQUEST_NUMBERS,
} from '../../protocol/compact/up.ts';
import { frameMetaSchema, helloSchema } from '../../protocol/events.ts';
import type { Epoch } from '../../protocol/sample.ts';

/** Sends one request; `answer` is called at most once. Returns what forgets it: a later answer is then nobody's. */
export type Emit = (
  event: AgentMessageName,
  args: readonly unknown[],
  answer: (answer: unknown) => void,
) => () => void;

export type CompactRequests = {
  readonly emit: Emit;
  /**
   * A compact message of HQ: answers are given to those who wait for them; credit comes back. Throws a CompactError
   * where it is no valid one, or none was agreed on.
   */
  readonly receive: (bytes: Uint8Array) => Extract<DownMessage, { type: 'credit' }> | null;
};

/** What protocol 2 needs of one connection. */
type Agreed = {
  readonly epoch: Epoch;
  readonly waiting: Map<number, (answer: unknown) => void>;
  next: number;
  /** The last heartbeat that HQ has answered, and how many it has not. */
  heartbeat: KnownHeartbeat | null;
  unheard: number;
};

export function createCompactRequests(emit: Emit, send: (bytes: Uint8Array) => void): CompactRequests {
  let agreed: Agreed | null = null;

  const request = (on: Agreed, answer: (answer: unknown) => void): number => {
    const number = on.next;
    on.next = (number + 1) % REQUEST_NUMBERS;
    on.waiting.set(number, answer);
    return number;
  };

  const sendFrame = (on: Agreed, [meta, frame]: readonly unknown[], answer: (answer: unknown) => void) => {
    if (!(frame instanceof Uint8Array)) throw new Error('a frame is bytes');
    const number = request(on, answer);
    send(encodeFrameMessage(number, { ...frameMetaSchema.parse(meta), frame, epoch: on.epoch }));
    return () => void on.waiting.delete(number);
  };

  const sendHeartbeat = (on: Agreed, [heartbeat]: readonly unknown[], answer: (answer: unknown) => void) => {
    if (typeof heartbeat !== 'object' || heartbeat === null) throw new Error('a heartbeat is an object');
    const leaves = leavesOf(heartbeat);
    const number = request(on, (reply) => {
      on.unheard -= 1;
      on.heartbeat = { request: number, leaves };
      answer(reply);
    });
    // HQ builds on the last one that came: only when all have been answered it is known which one that is.
    const base = on.unheard === 0 ? on.heartbeat : null;
    on.unheard += 1;
    send(encodeHeartbeatMessage({ request: number, leaves }, base));
    return () => void on.waiting.delete(number);
  };

  return {
    emit: (event, args, answer) => {
      if (event === 'hello') {
        return emit(event, args, (reply) => {
          agreed = agreesOnCompact(reply) ? agreementOf(args) : null;
          answer(reply);
        });
      }
      if (agreed !== null && event === 'frame') return sendFrame(agreed, args, answer);
      if (agreed !== null && event === 'heartbeat') return sendHeartbeat(agreed, args, answer);
      return emit(event, args, answer);
    },
    receive: (bytes) => {
      if (agreed === null) throw new CompactError('unknown_type', 'no compact messages were agreed on');
      const { waiting } = agreed;
      const message = decodeDown(bytes);
      if (message.type === 'credit') return message;
      const requests = message.type === 'acked' ? message.requests : [message.request];
      for (const number of requests) {
        const answer = waiting.get(number);
        waiting.delete(number);
        answer?.(answerOf(message));
      }
      return null;
    },
  };
}

function agreementOf([hello]: readonly unknown[]): Agreed {
  const { epoch } = helloSchema.parse(hello);
  return { epoch, waiting: new Map(), next: 0, heartbeat: null, unheard: 0 };
}

/** As the answer to an event would be. */
function answerOf(message: Exclude<DownMessage, { type: 'credit' }>): unknown {
  switch (message.type) {
    case 'acked': {
      const { ack, credit, creditBytes } = message;
      return { ok: true, ack, credit, ...(creditBytes === undefined ? {} : { creditBytes }) };
    }
    case 'refused':
      return { ok: false, error: message.error };
    case 'heard': {
      const { hqTs, ack, storing, reconnectMs } = message;
      return {
        ok: true,
        hqTs,
        ack,
        ...(storing === undefined ? {} : { storing }),
        ...(reconnectMs === undefined ? {} : { reconnectMs }),
      };
    }
  }
}
