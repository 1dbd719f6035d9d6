/**
 * One connection of the simulated network, from its handshake to the end that each side learns of by itself. Both ends
 * ping like Socket.IO, take whatever arrives for a sign of life, and find out about a dead peer only thereby.
 */
import { Observable, Subscription } from 'rxjs';
import { type ConnectOptions, LinkError, onlyWay } from '../../src/agent/uplink/link.ts';
import { untilSilent } from '../../src/agent/uplink/silence.ts';
import type { AgentMessageName } from '../../src/protocol/agent-messages.ts';
import { arrive, deliver, JOIN_BYTES, PING_MS, PONG_MS, receive } from './connection-server.ts';
import {
  type ConnectionState,
  closeByAgent,
  closed,
  endAgent,
  handleOf,
  hangUp,
  isAgentThere,
  type NetState,
  tellEnd,
  type WireState,
} from './connection-state.ts';
import { type AgentSide, copyOf } from './ends.ts';
import type { Life } from './machine.ts';
import { createWireSizes, plainBytes } from './wire-sizes.ts';

/** What goes up and comes down of TCP and of the upgrade, before the join. */
const HANDSHAKE: readonly (readonly [up: number, down: number])[] = [
  [1, 1],
  [350, 220],
];

/** Gives what the agent closes it by. */
export function connectOver(
  net: NetState,
  wire: WireState,
  life: Life,
  instance: string,
  { connectSilenceMs, silenceMs = (announced) => announced }: ConnectOptions,
  agentSide: AgentSide,
): () => void {
  const limitMs = () => silenceMs(PING_MS + PONG_MS);
  const state = createState(net, wire, life, instance, agentSide, limitMs);
  net.connections.add(state.handle);
  wire.mine.add(state.handle);
  state.connecting = watchConnecting(state, connectSilenceMs);
  const join = () => state.up.send(JOIN_BYTES, () => arrive(state, () => open(state, limitMs)));
  if (wire.faults.cut) {
    const [least] = wire.faults.delayMs;
    net.timeline.after(least, () => endAgent(state, new LinkError('unreachable', 'No route.')));
  } else if (wire.isSlow()) shakeHands(state, 0, join);
  else join();
  return () => closeByAgent(state);
}

function createState(
  net: NetState,
  wire: WireState,
  life: Life,
  instance: string,
  agentSide: AgentSide,
  limitMs: () => number,
): ConnectionState {
  const { timeline } = net;
  const number = wire.connected;
  wire.connected += 1;
  const state: ConnectionState = {
    net,
    wire,
    life,
    instance,
    number,
    agentSide,
    handle: handleOf(() => state),
    up: wire.pipe('up', (bytes) => {
      state.heard += bytes;
      state.arrivedAt = timeline.now();
    }),
    down: wire.pipe('down', (bytes) => {
      state.traffic.received += bytes;
      wire.bytesEver += bytes;
      state.arrivedAt = timeline.now();
      if (state.opened && isAgentThere(state)) expectBytes(state, limitMs);
    }),
    sizes: createWireSizes(),
    waiting: new Map(),
    traffic: { sent: 0, received: 0 },
    heard: 0,
    arrivedAt: timeline.now(),
    asked: 0,
    agentOpen: true,
    opened: false,
    hq: null,
    silence: () => {},
    connecting: Subscription.EMPTY,
  };
  return state;
}

/** Gives an attempt up on which nothing comes for long. */
function watchConnecting(state: ConnectionState, connectSilenceMs: number | undefined): Subscription {
  if (connectSilenceMs === undefined) return Subscription.EMPTY;
  return untilSilent({
    limitMs: () => connectSilenceMs,
    signs: () => state.traffic.received,
    scheduler: state.life.clock.scheduler,
  }).subscribe((limit) => {
    hangUp(state);
    endAgent(state, new LinkError('timeout', `Nothing came for ${limit} ms while connecting.`));
  });
}

/**
 * Bytes come between the steps, which the silence of an attempt counts from; without a rate one exchange says as much.
 */
function shakeHands(state: ConnectionState, step: number, join: () => void): void {
  const exchange = HANDSHAKE[step];
  if (exchange === undefined) {
    join();
    return;
  }
  const [upBytes, downBytes] = exchange;
  state.up.send(upBytes, () => {
    if (!state.net.machineUp) return;
    state.down.send(downBytes, () => {
      if (isAgentThere(state)) shakeHands(state, step + 1, join);
    });
  });
}

function open(state: ConnectionState, limitMs: () => number): void {
  state.opened = true;
  state.connecting.unsubscribe();
  expectBytes(state, limitMs);
  state.agentSide.opened((event, args) => ask(state, event, args), {
    way: onlyWay(state.wire.name),
    traffic: () => ({ ...state.traffic }),
    unsent: () => state.up.waiting().unsent,
  });
}

/** Begins the agent's waiting for the next byte again. */
function expectBytes(state: ConnectionState, limitMs: () => number): void {
  state.silence();
  state.silence = state.net.timeline.after(limitMs(), () => {
    tellEnd(state, 'agent');
    endAgent(state, closed('ping timeout'));
  });
}

function ask(state: ConnectionState, event: AgentMessageName, args: readonly unknown[]): Observable<unknown> {
  const { net, wire, waiting, traffic, sizes } = state;
  return new Observable<unknown>((subscriber) => {
    if (!state.agentOpen) {
      subscriber.error(closed('not connected'));
      return undefined;
    }
    const id = state.asked;
    state.asked += 1;
    waiting.set(id, {
      fail: (error) => subscriber.error(error),
      answer: (reply) => {
        subscriber.next(reply);
        subscriber.complete();
      },
    });
    const copy = args.map(copyOf);
    net.watch?.sent({ wire: wire.name, connection: state.number, event, args: copy });
    const bytes = wire.isSlow() ? sizes.up(event, args) : plainBytes(event, args);
    traffic.sent += bytes;
    wire.bytesEver += bytes;
    deliver(state, state.up, event, bytes, () => receive(state, event, copy, id));
    return () => waiting.delete(id);
  });
}
