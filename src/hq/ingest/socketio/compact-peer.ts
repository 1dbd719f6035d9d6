/**
 * Lets an agent talk to HQ in compact messages: what comes is handed on as the event that it stands for, with an ack
 * callback that answers in the same way. Frames that are answered in one turn, as those of one group commit are, get
 * one answer.
 *
 * Nothing compact is taken or sent before a hello on this connection was answered with protocol 2.
 */
import { agreesOnCompact } from '../../../protocol/compact/agreement.ts';
import { CompactError } from '../../../protocol/compact/compact-error.ts';
import { encodeDown, MAX_ACKED } from '../../../protocol/compact/down.ts';
import { heartbeatFrom } from '../../../protocol/compact/heartbeat-delta.ts';
import { decodeUp, type KnownHeartbeat } from '../../../protocol/compact/up.ts';
import { type Coverage, unite } from '../../../protocol/coverage.ts';
import { type Credit, type FrameReply, type HeartbeatReply, helloSchema } from '../../../protocol/events.ts';
import type { Epoch } from '../../../protocol/sample.ts';
import type { PeerMessage } from '../core/agent-server.ts';
import { MAX_ACK_RANGES } from '../core/answered-coverage.ts';

export type CompactPeer = {
  /** Listens in on an event: the answer to hello decides. */
  readonly watched: (message: PeerMessage) => PeerMessage;
  /** The event that a compact message stands for. Throws a CompactError where it stands for none. */
  readonly received: (bytes: unknown) => PeerMessage;
  /** False: this agent does not understand it so. */
  readonly sendCredit: (credit: Credit) => boolean;
};

type Agreed = { readonly epoch: Epoch; heartbeat: KnownHeartbeat | null };
type Stored = Extract<FrameReply, { readonly ok: true }>;
type Answered = { readonly request: number; readonly reply: Stored };

export function createCompactPeer(send: (bytes: Uint8Array) => void): CompactPeer {
  let agreed: Agreed | null = null;
  let answered: Answered[] = [];

  const flush = () => {
    const all = answered;
    answered = [];
    for (let at = 0; at < all.length; at += MAX_ACKED) send(ackedBy(all.slice(at, at + MAX_ACKED)));
  };
  const answerFrame = (request: number) => (reply: FrameReply) => {
    if (!reply.ok) send(encodeDown({ type: 'refused', request, error: reply.error }));
    else {
      if (answered.length === 0) queueMicrotask(flush);
      answered.push({ request, reply });
    }
  };
  const answerHeartbeat = (request: number) => (reply: HeartbeatReply) =>
    send(
      encodeDown(
        reply.ok ? { ...reply, type: 'heard', request } : { type: 'refused', request, error: reply.error },
      ),
    );

  return {
    watched: ({ event, args }) => {
      const reply = args.at(-1);
      if (event !== 'hello' || typeof reply !== 'function') return { event, args };
      const hello = helloSchema.safeParse(args[0]);
      const listening = (answer: unknown) => {
        agreed =
          hello.success && agreesOnCompact(answer) ? { epoch: hello.data.epoch, heartbeat: null } : null;
        reply(answer);
      };
      return { event, args: [...args.slice(0, -1), listening] };
    },
    received: (bytes) => {
      if (agreed === null || !(bytes instanceof Uint8Array))
        throw new CompactError('unknown_type', 'no compact messages were agreed on');
      const message = decodeUp(bytes, agreed);
      const { request } = message;
      if (message.type === 'frame')
        return { event: 'frame', args: [{ lane: message.lane }, message.frame, answerFrame(request)] };
      agreed.heartbeat = message;
      return { event: 'heartbeat', args: [heartbeatFrom(message.leaves), answerHeartbeat(request)] };
    },
    sendCredit: (credit) => {
      if (agreed === null) return false;
      send(encodeDown({ type: 'credit', ...credit }));
      return true;
    },
  };
}

/** The latest word about credit counts; what any of the answers covers is held. */
function ackedBy(all: readonly Answered[]): Uint8Array {
  const replies = all.map(({ reply }) => reply);
  const [first, ...others] = replies;
  const last = replies.at(-1);
  if (first === undefined || last === undefined) throw new Error('there is no answer to send');
  // Coverage only grows: where no range was left out, the latest one has all of them.
  const ack =
    last.ack.ranges.length < MAX_ACK_RANGES
      ? last.ack
      : others.reduce((sum: Coverage, { ack }) => unite(sum, ack), first.ack);
  const { credit, creditBytes } = last;
  return encodeDown({ type: 'acked', requests: all.map(({ request }) => request), ack, credit, creditBytes });
}
