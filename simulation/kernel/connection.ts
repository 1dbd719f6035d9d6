/**
 * One connection of the simulated network, from its handshake to the end that each side learns of by itself. Both ends ping like
 * Socket.IO, take whatever arrives for a sign of life, and find out about a dead peer only thereby.
 */
import { Observable, Subscription } from 'rxjs';
import { type ConnectOptions, LinkError, onlyWay } from '../../src/agent/uplink/link.ts';
import { untilSilent } from '../../src/agent/uplink/silence.ts';
import type { Admit, AgentPeer } from '../../src/hq/ingest/core/agent-server.ts';
import type { AgentMessageName } from '../../src/protocol/agent-messages.ts';
import {
  type AgentSide,
  copyOf,
  createPeer,
  outcomeOf,
  type PeerSide,
  sizeOf,
  type Waiting,
} from './ends.ts';
import type { WireFaults } from './line-shape.ts';
import type { Life } from './machine.ts';
import type { Ended, NetworkOptions } from './network-port.ts';
import type { Pipe } from './pipe.ts';
import { createWireSizes, plainBytes, type WireSizes } from './wire-sizes.ts';

const PING_MS = 10_000;
const PONG_MS = 8_000;
/** Of a ping, or a pong. */
const PING_BYTES = 10;
/** What goes up and comes down of TCP and of the upgrade, before the join. */
const HANDSHAKE: readonly (readonly [up: number, down: number])[] = [
  [1, 1],
  [350, 220],
];
const JOIN_BYTES = 100;
const CLOSE_BYTES = 8;

/** One end's view: it hears of the end once, and never again. */
type End = { readonly life: Life; open: boolean };
export type Connection = {
  /** Ends both ends' views: each learns of it through its pipe, or not at all. */
  readonly abort: () => void;
  readonly agentDied: (silently: boolean) => void;
  readonly serverDied: (silently: boolean) => void;
  readonly healed: () => void;
};
export type Listener = {
  readonly life: Life;
  readonly accept: (peer: AgentPeer) => void;
  readonly admit: Admit;
};

/** What all connections of a network share. */
export type NetState = Omit<NetworkOptions, 'usualDelayMs'> & {
  readonly connections: Set<Connection>;
  listener: Listener | null;
  /** Whether HQ's machine is up: a dead process is told of by its machine, a dead machine by nobody. */
  machineUp: boolean;
};

/** What those of one agent share. */
export type WireState = {
  readonly name: string;
  readonly faults: WireFaults;
  readonly mine: Set<Connection>;
  readonly pipe: (direction: 'up' | 'down', onBytes: (bytes: number) => void) => Pipe;
  /** Encoding for its length alone is left out where nobody waits for bytes. */
  readonly isSlow: () => boolean;
  connected: number;
  bytesEver: number;
};

/** Gives what the agent closes it by. */
export function connectOver(
  net: NetState,
  wire: WireState,
  life: Life,
  instance: string,
  { connectSilenceMs, silenceMs = (announced) => announced }: ConnectOptions,
  agentEvents: AgentSide,
): () => void {
  const { timeline, chance, note, onAnswer, onArrival, onCredit, watch, connections } = net;
  const { name, faults, pipe, isSlow, mine } = wire;
  const number = wire.connected;
  wire.connected += 1;
  const agent: End = { life, open: true };
  let hq: (End & { readonly peer: PeerSide }) | null = null;
  let arrivedAt = timeline.now();
  const up = pipe('up', (bytes) => {
    heard += bytes;
    arrivedAt = timeline.now();
  });
  const down = pipe('down', (bytes) => {
    traffic.received += bytes;
    wire.bytesEver += bytes;
    arrivedAt = timeline.now();
    if (opened && agent.open && life.isAlive()) expectBytes();
  });
  const sizes: WireSizes = createWireSizes();
  const waiting = new Map<number, Waiting>();
  let asked = 0;
  let deadline: () => void = () => {};
  let opened = false;
  /** Bytes that reached HQ: each is a sign of life. */
  let heard = 0;
  /** Of the agent's side. */
  const traffic = { sent: 0, received: 0 };
  const meter = {
    way: onlyWay(name),
    traffic: () => ({ ...traffic }),
    unsent: () => up.waiting().unsent,
  };
  /** What one side ends, for reasons of its own. */
  const tellEnd = (by: Ended['by']) =>
    watch?.ended({
      wire: name,
      by,
      quietMs: timeline.now() - arrivedAt,
      waitingBytes: up.waiting().bytes + down.waiting().bytes,
    });

  const endAgent = (error: LinkError) => {
    if (!agent.open) return;
    agent.open = false;
    deadline();
    connecting.unsubscribe();
    up.abandon();
    forget();
    if (!life.isAlive()) return;
    for (const one of [...waiting.values()]) one.fail(error);
    waiting.clear();
    agentEvents.fail(error);
  };
  const endHq = (reason: string) => {
    if (hq === null || !hq.open) return;
    hq.open = false;
    down.abandon();
    forget();
    if (hq.life.isAlive()) hq.peer.end(reason);
  };
  const closed = (why: string) => new LinkError('closed', `HQ is gone: ${why}.`);
  const forget = () => {
    if (agent.open || hq?.open === true) return;
    connections.delete(connection);
    mine.delete(connection);
  };
  /** What an agent's process does at its end, whether it wants to or not. */
  const hangUp = () => {
    up.abandon();
    up.send(CLOSE_BYTES, () => endHq('transport close'));
  };
  const hangUpAgent = (error: LinkError) => down.send(CLOSE_BYTES, () => endAgent(error));

  const connection: Connection = {
    abort: () => {
      timeline.after(chance.between(...faults.delayMs), () => endHq('transport error'));
      timeline.after(chance.between(...faults.delayMs), () => endAgent(closed('transport error')));
    },
    agentDied: (silently) => {
      if (!agent.open) return;
      agent.open = false;
      deadline();
      forget();
      if (silently) up.abandon();
      else hangUp();
    },
    serverDied: (silently) => {
      if (hq === null || !hq.open) return;
      hq.open = false;
      forget();
      down.abandon();
      if (!silently) hangUpAgent(closed('transport close'));
    },
    healed: () => {
      up.healed();
      down.healed();
    },
  };
  connections.add(connection);
  mine.add(connection);

  const later = (direction: Pipe, what: string, bytes: number, work: () => void) => {
    if (faults.loss > 0 && chance.chance(faults.loss)) {
      note(`${name} lost ${what}`);
      return;
    }
    direction.send(bytes, work);
    if (faults.doubled > 0 && chance.chance(faults.doubled)) {
      note(`${name} doubled ${what}`);
      direction.send(bytes, work);
    }
  };

  const ask = (event: AgentMessageName, args: readonly unknown[]) =>
    new Observable<unknown>((subscriber) => {
      if (!agent.open) {
        subscriber.error(closed('not connected'));
        return undefined;
      }
      const id = asked;
      asked += 1;
      waiting.set(id, {
        fail: (error) => subscriber.error(error),
        answer: (reply) => {
          subscriber.next(reply);
          subscriber.complete();
        },
      });
      const copy = args.map(copyOf);
      watch?.sent({ wire: name, connection: number, event, args: copy });
      const bytes = isSlow() ? sizes.up(event, args) : plainBytes(event, args);
      traffic.sent += bytes;
      wire.bytesEver += bytes;
      later(up, event, bytes, () => receive(event, copy, id));
      return () => waiting.delete(id);
    });

  const receive = (event: string, args: readonly unknown[], id: number) => {
    if (hq === null || !hq.open || !hq.life.isAlive()) {
      // A machine that is up answers for a process that is gone.
      if (net.machineUp) hangUpAgent(closed('transport close'));
      return;
    }
    note(`${name} > ${event} ${sizeOf(args)}`);
    onArrival?.({ wire: name, event, args });
    let acked = false;
    const ack = (reply: unknown) => {
      if (acked || hq === null || !hq.open) return;
      acked = true;
      onAnswer({ wire: name, event, args, reply });
      const copy = copyOf(reply);
      const bytes = isSlow() ? sizes.down(event, reply) : plainBytes('', [reply]);
      later(down, `answer to ${event}`, bytes, () => {
        const one = waiting.get(id);
        if (!agent.open || !life.isAlive() || one === undefined) return;
        watch?.heard({ wire: name, connection: number, event, args, reply: copy });
        note(`${name} < ${event} ${outcomeOf(copy)}`);
        waiting.delete(id);
        one.answer(copy);
      });
    };
    hq.peer.message({ event, args: [...args.map(copyOf), ack] });
  };

  const expectBytes = () => {
    deadline();
    deadline = timeline.after(silenceMs(PING_MS + PONG_MS), () => {
      tellEnd('agent');
      endAgent(closed('ping timeout'));
    });
  };
  const ping = () => {
    if (hq === null || !hq.open || !hq.life.isAlive()) return;
    const before = heard;
    down.send(PING_BYTES, () => {
      if (!agent.open || !life.isAlive()) return;
      traffic.sent += PING_BYTES;
      wire.bytesEver += PING_BYTES;
      up.send(PING_BYTES, () => {});
    });
    timeline.after(PONG_MS, () => {
      if (heard !== before) return;
      if (hq?.open === true) tellEnd('hq');
      endHq('ping timeout');
    });
    timeline.after(PING_MS, ping);
  };

  const arrive = () => {
    if (!agent.open || !life.isAlive()) return;
    if (net.listener === null || !net.listener.life.isAlive()) {
      if (net.machineUp) {
        hangUpAgent(new LinkError('refused', 'Nothing accepts connections there.'));
      }
      return;
    }
    const credentials = { token: undefined, host: 'hq', origin: undefined };
    const refused = net.listener.admit(credentials, name);
    if (refused !== null) {
      const error = new LinkError('unauthorized', refused.message, { wire: refused });
      hangUpAgent(error);
      return;
    }
    const peer = createPeer(name, credentials, {
      toAgent: (event, payload) => {
        if (event === 'credit') onCredit?.({ wire: name, frames: Number(payload.frames) });
        later(down, event, plainBytes(event, [payload]), () => {
          if (!agent.open || !life.isAlive()) return;
          agentEvents.event(event, copyOf(payload));
        });
      },
      probe: (answer) => {
        down.send(PING_BYTES, () => {
          const reply = { instance };
          if (agent.open && life.isAlive()) up.send(plainBytes('', [reply]), () => answer(reply));
        });
      },
      close: () => {
        if (hq?.open === true) tellEnd('hq');
        endHq('server namespace disconnect');
        hangUpAgent(closed('io server disconnect'));
      },
      received: () => heard,
    });
    hq = { life: net.listener.life, open: true, peer };
    note(`${name} connected`);
    net.listener.accept(peer.peer);
    down.send(JOIN_BYTES, () => {
      if (!agent.open || !life.isAlive()) return;
      opened = true;
      connecting.unsubscribe();
      expectBytes();
      agentEvents.opened(ask, meter);
    });
    timeline.after(PING_MS, ping);
  };

  /** Bytes come between the steps, which the silence of an attempt counts from; without a rate one exchange says as much. */
  const shakeHands = (step: number): void => {
    const exchange = HANDSHAKE[step];
    if (exchange === undefined) {
      up.send(JOIN_BYTES, arrive);
      return;
    }
    const [upBytes, downBytes] = exchange;
    up.send(upBytes, () => {
      if (!net.machineUp) return;
      down.send(downBytes, () => {
        if (agent.open && life.isAlive()) shakeHands(step + 1);
      });
    });
  };
  const connecting =
    connectSilenceMs === undefined
      ? Subscription.EMPTY
      : untilSilent({
          limitMs: () => connectSilenceMs,
          signs: () => traffic.received,
          scheduler: life.clock.scheduler,
        }).subscribe((limit) => {
          hangUp();
          endAgent(new LinkError('timeout', `Nothing came for ${limit} ms while connecting.`));
        });
  if (faults.cut) {
    const [least] = faults.delayMs;
    timeline.after(least, () => endAgent(new LinkError('unreachable', 'No route.')));
  } else if (isSlow()) shakeHands(0);
  else up.send(JOIN_BYTES, arrive);

  return () => {
    connecting.unsubscribe();
    if (!agent.open) return;
    tellEnd('agent');
    agent.open = false;
    deadline();
    forget();
    for (const one of [...waiting.values()]) one.fail(closed('closed by the agent'));
    waiting.clear();
    hangUp();
  };
}
