/** HQ's end of one connection of the agent that is judged. */
import { z } from 'zod';
import { encodeDown } from '../../src/protocol/compact/down.ts';
import { heartbeatFrom } from '../../src/protocol/compact/heartbeat-delta.ts';
import { decodeUp, type KnownHeartbeat } from '../../src/protocol/compact/up.ts';
import type { Coverage } from '../../src/protocol/coverage.ts';
import {
  frameMetaSchema,
  goodbyeSchema,
  type Heartbeat,
  type Hello,
  heartbeatSchema,
  helloSchema,
  type Lane,
  type WireError,
} from '../../src/protocol/events.ts';
import { FrameError, type FrameHeader } from '../../src/protocol/frame.ts';
import { readHeader } from '../../src/protocol/frame-codec.ts';
import { pause } from '../wire/client.ts';
import { ackPacket, eventMessages, NAMESPACE, type SocketPacket } from '../wire/packets.ts';
import type { RawSocket } from '../wire/raw-socket.ts';
import { LIMITS, type Policy } from './policy.ts';
import type { Rules } from './rules.ts';

export type FrameMessage = {
  readonly connection: AgentConnection;
  readonly lane: Lane;
  readonly bytes: Uint8Array;
  readonly header: FrameHeader;
  /** Of the hello. */
  readonly epoch: string;
  /** When it came, ms. */
  readonly at: number;
  readonly isCompact: boolean;
  readonly stored: (ack: Coverage) => void;
  readonly refused: (error: WireError) => void;
};

export type AgentConnection = {
  readonly raw: RawSocket;
  readonly hello: () => Hello | null;
  readonly isAccepted: () => boolean;
  readonly heartbeats: readonly Heartbeat[];
  readonly compactHeartbeats: () => number;
  /** Backlog frames that wait for an answer. */
  readonly inFlight: () => number;
  readonly giveCredit: (frames: number) => void;
  /** Sends an event that asks for an ack; what came of it. */
  readonly ask: (event: string, ...args: readonly unknown[]) => () => unknown;
  readonly tell: (event: string, ...args: readonly unknown[]) => void;
  /** Sends a ping; whether it has been answered. */
  readonly ping: () => () => boolean;
};

export type ConnectionTools = {
  readonly policy: Policy;
  readonly rules: Rules;
  readonly token: string | null;
  /** Gives what HQ holds of its epoch. */
  readonly hello: (hello: Hello) => Coverage;
  readonly told: (epoch: string) => Coverage;
  readonly tell: (epoch: string) => Coverage;
  readonly frame: (frame: FrameMessage) => void;
  readonly schema: (payload: unknown) => boolean;
};

const IDENTITY = 'conformance-hq';
const OPEN = {
  sid: 'conformance',
  upgrades: [],
  pingInterval: 10_000,
  pingTimeout: 8_000,
  maxPayload: 1_000_000,
};
/** The agent may come back soon. */
const RECONNECT_MS = 500;
const authSchema = z.looseObject({ token: z.string().optional() });

export function createConnection(raw: RawSocket, tools: ConnectionTools): AgentConnection {
  const { policy, rules, token } = tools;
  const heartbeats: Heartbeat[] = [];
  const waiting = new Map<number, { value: unknown }>();
  let hello: Hello | null = null;
  let isAccepted = false;
  let isCompact = false;
  let known: KnownHeartbeat | null = null;
  let compactHeartbeats = 0;
  let credit = 0;
  let most = 0;
  let inFlight = 0;
  let pongs = 0;
  let nextId = 0;
  const send = (id: number | null, answer: unknown) => {
    if (id !== null) raw.send(ackPacket(id, answer));
  };
  const allow = (frames: number) => {
    credit = frames;
    // What earlier credit allowed may still come.
    most = Math.max(frames, most);
  };

  const heardHello = async (payload: unknown, id: number | null) => {
    const parsed = helloSchema.safeParse(payload);
    rules.see('hello.shape', parsed.success, 'the fields of section 3', parsed.error?.message);
    if (!parsed.success) return send(id, refusal({ code: 'bad_request', message: 'hello is malformed' }));
    hello = parsed.data;
    rules.see('hello.protocol', hello.protocol === 1, 'protocol 1', hello.protocol);
    const ack = tools.hello(hello);
    if (policy.refuseHello !== null) return send(id, refusal(policy.refuseHello));
    await pause(policy.helloMs);
    isCompact = policy.compact && (hello.protocols ?? []).includes(2);
    most = policy.credit;
    credit = policy.credit;
    isAccepted = true;
    send(id, {
      ok: true,
      protocol: isCompact ? 2 : 1,
      ack,
      limits: LIMITS,
      credit,
      hqTs: Date.now(),
      hq: IDENTITY,
      reconnectMs: RECONNECT_MS,
      colour: 'unknown fields are ignored',
    });
  };

  const heardFrame = (lane: Lane, bytes: Uint8Array, answer: FrameAnswer) => {
    const header = headerOf(bytes);
    if (hello === null || header === null) {
      rules.see('frame.decodes', false, 'a frame, after hello', `${bytes.length} bytes`);
      return answer.refused({ code: 'bad_frame', message: 'no frame' });
    }
    const isBacklog = lane === 'backlog';
    if (isBacklog) {
      inFlight += 1;
      rules.see('credit.kept', inFlight <= most, `at most ${most} backlog frames in flight`, inFlight);
      if (inFlight <= credit) most = credit;
    }
    const done = () => {
      if (isBacklog) inFlight -= 1;
    };
    tools.frame({
      connection,
      ...{ lane, bytes, header, epoch: hello.epoch, at: performance.now(), isCompact: answer.isCompact },
      stored: (ack) => {
        done();
        answer.stored(ack);
      },
      refused: (error) => {
        done();
        answer.refused(error);
      },
    });
  };

  const heardHeartbeat = (payload: unknown): Coverage | null => {
    const parsed = heartbeatSchema.safeParse(payload);
    rules.see('heartbeat.shape', parsed.success, 'the fields of section 3', parsed.error?.message);
    if (!parsed.success || hello === null) return null;
    const { sampled, released } = parsed.data;
    const before = heartbeats.at(-1)?.sampled ?? hello.sampled;
    rules.see('heartbeat.sampled', sampled >= before, `at least ${before}`, sampled);
    const { contiguous } = tools.told(hello.epoch);
    rules.see('heartbeat.released', released <= contiguous, `at most ${contiguous}`, released);
    heartbeats.push(parsed.data);
    return tools.tell(hello.epoch);
  };

  const heardEvent = ({ data, id }: SocketPacket, [bytes]: readonly Uint8Array[]) => {
    const [event, first] = Array.isArray(data) ? data : [];
    rules.see('events.ack', id !== null, 'an ack to be asked for', data);
    rules.see('hello.first', event === 'hello' || isAccepted, 'hello, answered', event);
    if (event === 'hello') return void heardHello(first, id);
    if (event === 'schema') return send(id, { ok: tools.schema(first) });
    if (event === 'coverage') return send(id, { ok: true, ack: tools.tell(hello?.epoch ?? ''), more: false });
    if (event === 'goodbye') {
      rules.see('events.known', goodbyeSchema.safeParse(first).success, '{reason}', first);
      return send(id, { ok: true });
    }
    if (event === 'heartbeat') {
      const ack = heardHeartbeat(first);
      const answer = { ok: true, hqTs: Date.now(), ack, storing: true };
      return send(id, ack === null ? refusal({ code: 'bad_request', message: 'heartbeat' }) : answer);
    }
    const meta = frameMetaSchema.safeParse(first);
    const isFrame = event === 'frame' && meta.success && bytes !== undefined;
    rules.see('events.known', isFrame, 'hello, schema, frame, heartbeat, coverage or goodbye', data);
    if (!isFrame) return send(id, refusal({ code: 'bad_request', message: 'unknown' }));
    heardFrame(meta.data.lane, bytes, {
      isCompact: false,
      stored: (ack) => send(id, { ok: true, ack, credit }),
      refused: (error) => send(id, refusal(error)),
    });
  };

  const heardCompact = (bytes: Uint8Array) => {
    rules.see('compact.agreed', isCompact, 'version 2 to be agreed on', `${bytes.length} bytes`);
    if (hello === null || !isCompact) return;
    try {
      const message = decodeUp(bytes, { epoch: hello.epoch, heartbeat: known });
      rules.see('compact.decodes', true, 'a message', null);
      const { request } = message;
      if (message.type === 'heartbeat') {
        known = message;
        compactHeartbeats += 1;
        const ack = heardHeartbeat(heartbeatFrom(message.leaves)) ?? tools.told(hello.epoch);
        return raw.send(encodeDown({ type: 'heard', request, hqTs: Date.now(), ack, storing: true }));
      }
      heardFrame(message.lane, Uint8Array.from(message.frame), {
        isCompact: true,
        stored: (ack) => raw.send(encodeDown({ type: 'acked', requests: [request], ack, credit })),
        refused: (error) => raw.send(encodeDown({ type: 'refused', request, error })),
      });
    } catch (error) {
      rules.see('compact.decodes', false, 'a message', error);
    }
  };

  const heardConnect = ({ data, namespace }: SocketPacket) => {
    if (namespace !== NAMESPACE) return raw.send(`44${namespace},{"message":"join ${NAMESPACE}"}`);
    const shown = authSchema.safeParse(data ?? {}).data?.token ?? null;
    if (token !== null)
      rules.see('events.token', shown === token, 'the token', shown === null ? 'none' : 'another');
    raw.send(`40${NAMESPACE},{"sid":"conformance-${NAMESPACE}"}`);
  };

  raw.onHeard((heard) => {
    if (heard.kind === 'compact') return heardCompact(heard.bytes);
    const { packet, attachments } = heard;
    if (packet.type === 'pong') pongs += 1;
    else if (packet.type === 'connect') heardConnect(packet);
    else if (packet.type === 'event') heardEvent(packet, attachments);
    else if (packet.type === 'ack' && packet.id !== null && Array.isArray(packet.data))
      waiting.set(packet.id, { value: packet.data[0] });
  });
  raw.send(`0${JSON.stringify(OPEN)}`);

  const connection: AgentConnection = {
    raw,
    hello: () => hello,
    isAccepted: () => isAccepted,
    heartbeats,
    compactHeartbeats: () => compactHeartbeats,
    inFlight: () => inFlight,
    giveCredit: (frames) => {
      allow(frames);
      raw.send(...eventMessages('credit', [{ frames }], null));
    },
    ask: (event, ...args) => {
      const id = nextId++;
      raw.send(...eventMessages(event, args, id));
      return () => waiting.get(id)?.value;
    },
    tell: (event, ...args) => raw.send(...eventMessages(event, args, null)),
    ping: () => {
      const before = pongs;
      raw.send('2');
      return () => pongs > before;
    },
  };
  return connection;
}

type FrameAnswer = Pick<FrameMessage, 'stored' | 'refused' | 'isCompact'>;

const refusal = (error: WireError) => ({ ok: false, error });

function headerOf(bytes: Uint8Array): FrameHeader | null {
  try {
    return readHeader(bytes);
  } catch (error) {
    if (error instanceof FrameError) return null;
    throw error;
  }
}
