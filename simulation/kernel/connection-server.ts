/** HQ's side of a simulated connection: admits the agent, takes its messages, pings, and notices its silence. */
import { LinkError } from '../../src/agent/uplink/link.ts';
import {
  type ConnectionState,
  closed,
  endHq,
  hangUpAgent,
  isAgentThere,
  type Listener,
  tellEnd,
} from './connection-state.ts';
import { copyOf, createPeer, outcomeOf, type PeerSide, sizeOf } from './ends.ts';
import type { Pipe } from './pipe.ts';
import { plainBytes } from './wire-sizes.ts';

export const PING_MS = 10_000;
export const PONG_MS = 8_000;
/** Of a ping, or a pong. */
const PING_BYTES = 10;
export const JOIN_BYTES = 100;

/** Sends a message through a pipe of the connection, unless the line loses it; a line may also double it. */
export function deliver(
  { net: { chance, note }, wire: { name, faults } }: ConnectionState,
  direction: Pipe,
  what: string,
  bytes: number,
  work: () => void,
): void {
  if (faults.loss > 0 && chance.chance(faults.loss)) {
    note(`${name} lost ${what}`);
    return;
  }
  direction.send(bytes, work);
  if (faults.doubled > 0 && chance.chance(faults.doubled)) {
    note(`${name} doubled ${what}`);
    direction.send(bytes, work);
  }
}

/** The agent's request to join has come; `onJoined` is called when the agent has HQ's answer. */
export function arrive(state: ConnectionState, onJoined: () => void): void {
  const { net, wire } = state;
  const { listener } = net;
  if (!isAgentThere(state)) return;
  if (listener === null || !listener.life.isAlive()) {
    if (net.machineUp) hangUpAgent(state, new LinkError('refused', 'Nothing accepts connections there.'));
    return;
  }
  const credentials = { token: undefined, host: 'hq', origin: undefined };
  listener.admit(credentials, wire.name).subscribe((refused) => {
    if (!isAgentThere(state)) return;
    if (refused === null) accept(state, listener, credentials, onJoined);
    else hangUpAgent(state, new LinkError('unauthorized', refused.message, { wire: refused }));
  });
}

type Credentials = Parameters<Listener['admit']>[0];

function accept(state: ConnectionState, listener: Listener, credentials: Credentials, onJoined: () => void) {
  const { net, wire, down } = state;
  const peer = peerOf(state, credentials);
  state.hq = { life: listener.life, open: true, peer };
  net.note(`${wire.name} connected`);
  listener.accept(peer.peer);
  down.send(JOIN_BYTES, () => {
    if (isAgentThere(state)) onJoined();
  });
  net.timeline.after(PING_MS, () => ping(state));
}

function peerOf(state: ConnectionState, credentials: Credentials): PeerSide {
  const { net, wire, up, down } = state;
  return createPeer(wire.name, credentials, {
    toAgent: (event, payload) => {
      if (event === 'credit') net.onCredit?.({ wire: wire.name, frames: Number(payload.frames) });
      deliver(state, down, event, plainBytes(event, [payload]), () => {
        if (isAgentThere(state)) state.agentSide.event(event, copyOf(payload));
      });
    },
    probe: (answer) => {
      down.send(PING_BYTES, () => {
        const reply = { instance: state.instance };
        if (isAgentThere(state)) up.send(plainBytes('', [reply]), () => answer(reply));
      });
    },
    close: () => {
      if (state.hq?.open === true) tellEnd(state, 'hq');
      endHq(state, 'server namespace disconnect');
      hangUpAgent(state, closed('io server disconnect'));
    },
    received: () => state.heard,
  });
}

function ping(state: ConnectionState): void {
  const { net, wire, up, down, traffic, heard: before } = state;
  if (state.hq === null || !state.hq.open || !state.hq.life.isAlive()) return;
  down.send(PING_BYTES, () => {
    if (!isAgentThere(state)) return;
    traffic.sent += PING_BYTES;
    wire.bytesEver += PING_BYTES;
    up.send(PING_BYTES, () => {});
  });
  net.timeline.after(PONG_MS, () => {
    if (state.heard !== before) return;
    if (state.hq?.open === true) tellEnd(state, 'hq');
    endHq(state, 'ping timeout');
  });
  net.timeline.after(PING_MS, () => ping(state));
}

/** A message of the agent, asked as number `id`, has come. */
export function receive(state: ConnectionState, event: string, args: readonly unknown[], id: number): void {
  const { net, wire, hq } = state;
  if (hq === null || !hq.open || !hq.life.isAlive()) {
    // A machine that is up answers for a process that is gone.
    if (net.machineUp) hangUpAgent(state, closed('transport close'));
    return;
  }
  net.note(`${wire.name} > ${event} ${sizeOf(args)}`);
  net.onArrival?.({ wire: wire.name, event, args });
  let acked = false;
  const ack = (reply: unknown) => {
    if (acked || !hq.open) return;
    acked = true;
    net.onAnswer({ wire: wire.name, event, args, reply });
    answer(state, event, args, id, reply);
  };
  hq.peer.message({ event, args: [...args.map((one) => arrived(state, event, one)), ack] });
}

/** What HQ sees of what was sent. */
function arrived({ net: { passFrame }, wire }: ConnectionState, event: string, sent: unknown): unknown {
  const copy = copyOf(sent);
  if (event !== 'frame' || !(copy instanceof Uint8Array) || passFrame === undefined) return copy;
  return passFrame(wire.name, copy);
}

function answer(
  state: ConnectionState,
  event: string,
  args: readonly unknown[],
  id: number,
  reply: unknown,
): void {
  const { net, wire, sizes, waiting } = state;
  const copy = copyOf(reply);
  const bytes = wire.isSlow() ? sizes.down(event, reply) : plainBytes('', [reply]);
  deliver(state, state.down, `answer to ${event}`, bytes, () => {
    const one = waiting.get(id);
    if (!isAgentThere(state) || one === undefined) return;
    net.watch?.heard({ wire: wire.name, connection: state.number, event, args, reply: copy });
    net.note(`${wire.name} < ${event} ${outcomeOf(copy)}`);
    waiting.delete(id);
    one.answer(copy);
  });
}
