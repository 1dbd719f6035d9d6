/**
 * A simulated network between agents and HQ, in place of Socket.IO on both sides: a `Link` for each agent, an `AgentServer` for HQ.
 *
 * A connection is a pair of pipes that keep order, as TCP does. What a black hole swallows arrives late if the connection lives
 * to see it; a message that is lost or doubled is so whole, as a proxy would do it. Both ends ping like Socket.IO, take
 * whatever arrives for a sign of life, and find out about a dead peer only thereby.
 */
import { Observable, Subscription } from 'rxjs';
import {
  type ConnectOptions,
  type Link,
  LinkError,
  type LinkEvent,
  onlyWay,
} from '../../src/agent/uplink/link.ts';
import { createParsedSession } from '../../src/agent/uplink/parsed-session.ts';
import { untilSilent } from '../../src/agent/uplink/silence.ts';
import type { Admit, AgentPeer, AgentServer } from '../../src/hq/ingest/agent-server.ts';
import type { AgentToHqEvents } from '../../src/protocol/events.ts';
import type { Chance } from './chance.ts';
import {
  type AgentSide,
  copyOf,
  createPeer,
  linkEventOf,
  outcomeOf,
  type PeerSide,
  sizeOf,
  type Waiting,
} from './ends.ts';
import { createLine } from './line.ts';
import { freeLine, type LineShape, type WireFaults } from './line-shape.ts';
import type { Life } from './machine.ts';
import { createPipe, type Pipe } from './pipe.ts';
import type { Timeline } from './timeline.ts';
import { createWireSizes, plainBytes, type WireSizes } from './wire-sizes.ts';

/** The line of one agent. */
export type Wire = {
  readonly name: string;
  readonly faults: Readonly<WireFaults>;
  readonly set: (faults: Partial<WireFaults>) => void;
  /** For one life of the agent; `instance` answers HQ's probe. */
  readonly link: (life: Life, instance: string) => Link;
  /** The agent's process has died. `silently`: with its machine, so that nobody tells HQ. */
  readonly drop: (silently: boolean) => void;
  /** Bytes that its agent has sent and received. */
  readonly bytes: () => number;
};

export type Server = {
  /** For one life of HQ. */
  readonly listen: (life: Life) => AgentServer;
  readonly drop: (silently: boolean) => void;
};

export type Network = {
  readonly wire: (name: string, shape?: LineShape) => Wire;
  readonly server: Server;
};

/** What a checker sees of the wire: HQ's answers as they leave HQ. */
export type Answer = {
  readonly wire: string;
  readonly event: string;
  readonly args: readonly unknown[];
  readonly reply: unknown;
};

/** What an agent sent, as it reaches HQ's process. */
export type Arrival = { readonly wire: string; readonly event: string; readonly args: readonly unknown[] };

/** How a connection does that one side has just ended. */
export type Ended = {
  readonly wire: string;
  readonly by: 'agent' | 'hq';
  /** Since bytes of it have last arrived anywhere, ms. */
  readonly quietMs: number;
  /** Bytes of it on their way. */
  readonly waitingBytes: number;
};

/** Sees what agents send and hear, and who ends connections. Connections are told apart by number. */
export type NetworkWatch = {
  readonly sent: (message: Arrival & { readonly connection: number }) => void;
  readonly heard: (answer: Answer & { readonly connection: number }) => void;
  readonly ended: (ended: Ended) => void;
};

export type NetworkOptions = {
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly note: (line: string) => void;
  readonly onAnswer: (answer: Answer) => void;
  readonly onArrival?: (arrival: Arrival) => void;
  /** HQ sends an agent another credit. */
  readonly onCredit?: (credit: { readonly wire: string; readonly frames: number }) => void;
  readonly usualDelayMs: readonly [least: number, most: number];
  readonly watch?: NetworkWatch;
};

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
const MODEM_QUEUE_BYTES = 8 * 1024;

/** One end's view: it hears of the end once, and never again. */
type End = { readonly life: Life; open: boolean };
type Connection = {
  /** Ends both ends' views: each learns of it through its pipe, or not at all. */
  readonly abort: () => void;
  readonly agentDied: (silently: boolean) => void;
  readonly serverDied: (silently: boolean) => void;
  readonly healed: () => void;
};
type Listener = { readonly life: Life; readonly accept: (peer: AgentPeer) => void; readonly admit: Admit };

export function createNetwork(options: NetworkOptions): Network {
  const { timeline, chance, note, onAnswer, onArrival, onCredit, usualDelayMs, watch } = options;
  const connections = new Set<Connection>();
  let listener: Listener | null = null;
  /** Whether HQ's machine is up: a dead process is told of by its machine, a dead machine by nobody. */
  let machineUp = true;

  const server: Server = {
    listen: (life) => ({
      serve: (admit) =>
        new Observable<AgentPeer>((subscriber) => {
          machineUp = true;
          listener = { life, admit, accept: (peer) => subscriber.next(peer) };
          return () => {
            listener = null;
          };
        }),
    }),
    drop: (silently) => {
      listener = null;
      machineUp = !silently;
      for (const connection of [...connections]) connection.serverDied(silently);
    },
  };

  const wire = (name: string, shape = freeLine(usualDelayMs)): Wire => {
    const faults: WireFaults = {
      ...shape,
      upLost: false,
      downLost: false,
      cut: false,
      loss: 0,
      doubled: 0,
    };
    const mine = new Set<Connection>();
    let connected = 0;
    let bytesEver = 0;
    const lines = {
      up: createLine({ timeline, queueBytes: MODEM_QUEUE_BYTES }),
      down: createLine({ timeline, queueBytes: MODEM_QUEUE_BYTES }),
    };
    lines.up.setRate(faults.upRate);
    lines.down.setRate(faults.downRate);
    const pipe = (direction: 'up' | 'down', onBytes: (bytes: number) => void): Pipe =>
      createPipe({
        timeline,
        chance,
        line: lines[direction],
        delayMs: () => faults.delayMs,
        isLost: () => (direction === 'up' ? faults.upLost : faults.downLost),
        onBytes,
      });
    /** Encoding for its length alone is left out where nobody waits for bytes. */
    const isSlow = () => Number.isFinite(lines.up.rate()) || Number.isFinite(lines.down.rate());

    const connect = (
      life: Life,
      instance: string,
      { connectSilenceMs, silenceMs = (announced) => announced }: ConnectOptions,
      agentEvents: AgentSide,
    ): (() => void) => {
      const number = connected;
      connected += 1;
      const agent: End = { life, open: true };
      let hq: (End & { readonly peer: PeerSide }) | null = null;
      let arrivedAt = timeline.now();
      const up = pipe('up', (bytes) => {
        heard += bytes;
        arrivedAt = timeline.now();
      });
      const down = pipe('down', (bytes) => {
        traffic.received += bytes;
        bytesEver += bytes;
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

      const ask = (event: keyof AgentToHqEvents, args: readonly unknown[]) =>
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
          bytesEver += bytes;
          later(up, event, bytes, () => receive(event, copy, id));
          return () => waiting.delete(id);
        });

      const receive = (event: string, args: readonly unknown[], id: number) => {
        if (hq === null || !hq.open || !hq.life.isAlive()) {
          // A machine that is up answers for a process that is gone.
          if (machineUp) hangUpAgent(closed('transport close'));
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
          bytesEver += PING_BYTES;
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
        if (listener === null || !listener.life.isAlive()) {
          if (machineUp) {
            hangUpAgent(new LinkError('refused', 'Nothing accepts connections there.'));
          }
          return;
        }
        const credentials = { token: undefined, host: 'hq', origin: undefined };
        const refused = listener.admit(credentials, name);
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
        hq = { life: listener.life, open: true, peer };
        note(`${name} connected`);
        listener.accept(peer.peer);
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
          if (!machineUp) return;
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
    };

    return {
      name,
      faults,
      set: (change) => {
        Object.assign(faults, change);
        lines.up.setRate(faults.upRate);
        lines.down.setRate(faults.downRate);
        if (change.cut === true) for (const connection of [...mine]) connection.abort();
        for (const connection of [...mine]) connection.healed();
      },
      link: (life, instance) => ({
        connect: (wishes = {}) =>
          new Observable<LinkEvent>((subscriber) =>
            connect(life, instance, wishes, {
              opened: (ask, meter) =>
                subscriber.next({ type: 'open', session: createParsedSession(ask, meter) }),
              event: (event, payload) => subscriber.next(linkEventOf(event, payload)),
              fail: (error) => subscriber.error(error),
            }),
          ),
      }),
      bytes: () => bytesEver,
      drop: (silently) => {
        for (const connection of [...mine]) connection.agentDied(silently);
      },
    };
  };
  return { wire, server };
}
