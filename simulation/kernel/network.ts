/**
 * A simulated network between agents and HQ, in place of Socket.IO on both sides: a `Link` for each agent, an `AgentServer` for HQ.
 *
 * A connection is a pair of pipes that keep order, as TCP does. What a black hole swallows arrives late if the connection lives
 * to see it; a message that is lost or doubled is so whole, as a proxy would do it. Both ends ping like Socket.IO, take
 * whatever arrives for a sign of life, and find out about a dead peer only thereby.
 */
import { Observable, Subject } from 'rxjs';
import { type Link, LinkError, type LinkEvent, onlyWay } from '../../src/agent/uplink/link.ts';
import { createParsedSession, type Meter } from '../../src/agent/uplink/parsed-session.ts';
import type { Admit, AgentPeer, AgentServer, PeerMessage } from '../../src/hq/ingest/agent-server.ts';
import { type AgentToHqEvents, creditSchema } from '../../src/protocol/events.ts';
import type { Chance } from './chance.ts';
import type { Life } from './machine.ts';
import type { Timeline } from './timeline.ts';

export type WireFaults = {
  /** One-way delay of a message, ms. */
  delayMs: readonly [least: number, most: number];
  /** Nothing gets through in this direction; what is sent waits. */
  upLost: boolean;
  downLost: boolean;
  /** Connections end and none can be made. */
  cut: boolean;
  /** Share of messages that vanish, and that arrive twice. */
  loss: number;
  doubled: number;
};

/** The line of one agent. */
export type Wire = {
  readonly name: string;
  readonly faults: Readonly<WireFaults>;
  readonly set: (faults: Partial<WireFaults>) => void;
  /** For one life of the agent; `instance` answers HQ's probe. */
  readonly link: (life: Life, instance: string) => Link;
  /** The agent's process has died. `silently`: with its machine, so that nobody tells HQ. */
  readonly drop: (silently: boolean) => void;
};

export type Server = {
  /** For one life of HQ. */
  readonly listen: (life: Life) => AgentServer;
  readonly drop: (silently: boolean) => void;
};

export type Network = { readonly wire: (name: string) => Wire; readonly server: Server };

/** What a checker sees of the wire: HQ's answers as they leave HQ. */
export type Answer = {
  readonly wire: string;
  readonly event: string;
  readonly args: readonly unknown[];
  readonly reply: unknown;
};

/** What an agent sent, as it reaches HQ's process. */
export type Arrival = { readonly wire: string; readonly event: string; readonly args: readonly unknown[] };

export type NetworkOptions = {
  readonly timeline: Timeline;
  readonly chance: Chance;
  readonly note: (line: string) => void;
  readonly onAnswer: (answer: Answer) => void;
  readonly onArrival?: (arrival: Arrival) => void;
  /** HQ sends an agent another credit. */
  readonly onCredit?: (credit: { readonly wire: string; readonly frames: number }) => void;
  readonly usualDelayMs: readonly [least: number, most: number];
};

const PING_MS = 10_000;
const PONG_MS = 8_000;
/** Framing of one message, about. */
const ENVELOPE_BYTES = 10;

/** One end's view: it hears of the end once, and never again. */
type End = { readonly life: Life; open: boolean };
type Connection = {
  /** Ends both ends' views: each learns of it through its pipe, or not at all. */
  readonly abort: () => void;
  readonly agentDied: (silently: boolean) => void;
  readonly serverDied: (silently: boolean) => void;
  readonly healed: () => void;
};
type Pipe = { readonly send: (work: () => void) => void; readonly healed: () => void };
type Listener = { readonly life: Life; readonly accept: (peer: AgentPeer) => void; readonly admit: Admit };

export function createNetwork(options: NetworkOptions): Network {
  const { timeline, chance, note, onAnswer, onArrival, onCredit, usualDelayMs } = options;
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

  const wire = (name: string): Wire => {
    const faults: WireFaults = {
      delayMs: usualDelayMs,
      upLost: false,
      downLost: false,
      cut: false,
      loss: 0,
      doubled: 0,
    };
    const mine = new Set<Connection>();
    const pipe = (direction: 'up' | 'down'): Pipe => {
      // Whatever is due first, the message that was sent first is delivered.
      const queue: (() => void)[] = [];
      let stuck = 0;
      let free = 0;
      const isLost = () => (direction === 'up' ? faults.upLost : faults.downLost);
      const schedule = () => {
        free = Math.max(free, timeline.now() + chance.between(...faults.delayMs));
        timeline.after(free - timeline.now(), () => {
          if (isLost()) stuck += 1;
          else queue.shift()?.();
        });
      };
      return {
        send: (work) => {
          queue.push(work);
          schedule();
        },
        healed: () => {
          if (isLost()) return;
          for (; stuck > 0; stuck -= 1) schedule();
        },
      };
    };

    const connect = (life: Life, instance: string, agentEvents: AgentSide): (() => void) => {
      const agent: End = { life, open: true };
      let hq: (End & { readonly peer: PeerSide }) | null = null;
      const up = pipe('up');
      const down = pipe('down');
      const waiting = new Map<number, Waiting>();
      let asked = 0;
      let deadline: () => void = () => {};
      /** Messages that reached HQ: each is a sign of life, as a pong is. */
      let heard = 0;
      /** Of the agent's side; what it sends leaves it at once. */
      const traffic = { sent: 0, received: 0 };
      const meter = { way: onlyWay(name), traffic: () => ({ ...traffic }), unsent: () => 0 };

      const endAgent = (error: LinkError) => {
        if (!agent.open) return;
        agent.open = false;
        deadline();
        forget();
        if (!life.isAlive()) return;
        for (const one of [...waiting.values()]) one.fail(error);
        waiting.clear();
        agentEvents.fail(error);
      };
      const endHq = (reason: string) => {
        if (hq === null || !hq.open) return;
        hq.open = false;
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
      const hangUp = () => up.send(() => endHq('transport close'));

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
          if (!silently) hangUp();
        },
        serverDied: (silently) => {
          if (hq === null || !hq.open) return;
          hq.open = false;
          forget();
          if (!silently) down.send(() => endAgent(closed('transport close')));
        },
        healed: () => {
          up.healed();
          down.healed();
        },
      };
      connections.add(connection);
      mine.add(connection);

      const later = (direction: Pipe, what: string, work: () => void) => {
        if (faults.loss > 0 && chance.chance(faults.loss)) {
          note(`${name} lost ${what}`);
          return;
        }
        direction.send(work);
        if (faults.doubled > 0 && chance.chance(faults.doubled)) {
          note(`${name} doubled ${what}`);
          direction.send(work);
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
          traffic.sent += bytesOf(event, args);
          later(up, event, () => receive(event, copy, id));
          return () => waiting.delete(id);
        });

      const receive = (event: string, args: readonly unknown[], id: number) => {
        if (hq === null || !hq.open || !hq.life.isAlive()) {
          // A machine that is up answers for a process that is gone.
          if (machineUp) down.send(() => endAgent(closed('transport close')));
          return;
        }
        heard += 1;
        note(`${name} > ${event} ${sizeOf(args)}`);
        onArrival?.({ wire: name, event, args });
        let acked = false;
        const ack = (reply: unknown) => {
          if (acked || hq === null || !hq.open) return;
          acked = true;
          onAnswer({ wire: name, event, args, reply });
          const copy = copyOf(reply);
          later(down, `answer to ${event}`, () => {
            const one = waiting.get(id);
            traffic.received += bytesOf('', [copy]);
            if (!agent.open || !life.isAlive()) return;
            expectPing();
            if (one === undefined) return;
            note(`${name} < ${event} ${outcomeOf(copy)}`);
            waiting.delete(id);
            one.answer(copy);
          });
        };
        hq.peer.message({ event, args: [...args.map(copyOf), ack] });
      };

      const expectPing = () => {
        deadline();
        deadline = timeline.after(PING_MS + PONG_MS, () => endAgent(closed('ping timeout')));
      };
      const ping = () => {
        if (hq === null || !hq.open || !hq.life.isAlive()) return;
        let ponged = false;
        const before = heard;
        down.send(() => {
          if (!agent.open || !life.isAlive()) return;
          traffic.received += ENVELOPE_BYTES;
          traffic.sent += ENVELOPE_BYTES;
          expectPing();
          up.send(() => {
            ponged = true;
          });
        });
        timeline.after(PONG_MS, () => {
          if (!ponged && heard === before) endHq('ping timeout');
        });
        timeline.after(PING_MS, ping);
      };

      const arrive = () => {
        if (!agent.open || !life.isAlive()) return;
        if (listener === null || !listener.life.isAlive()) {
          if (machineUp) {
            down.send(() => endAgent(new LinkError('refused', 'Nothing accepts connections there.')));
          }
          return;
        }
        const credentials = { token: undefined, host: 'hq', origin: undefined };
        const refused = listener.admit(credentials, name);
        if (refused !== null) {
          const error = new LinkError('unauthorized', refused.message, { wire: refused });
          down.send(() => endAgent(error));
          return;
        }
        const peer = createPeer(name, credentials, {
          toAgent: (event, payload) => {
            if (event === 'credit') onCredit?.({ wire: name, frames: Number(payload.frames) });
            later(down, event, () => {
              traffic.received += bytesOf(event, [payload]);
              if (!agent.open || !life.isAlive()) return;
              expectPing();
              agentEvents.event(event, copyOf(payload));
            });
          },
          probe: (answer) => {
            down.send(() => {
              if (agent.open && life.isAlive()) up.send(() => answer({ instance }));
            });
          },
          close: () => {
            endHq('server namespace disconnect');
            down.send(() => endAgent(closed('io server disconnect')));
          },
          received: () => heard,
        });
        hq = { life: listener.life, open: true, peer };
        note(`${name} connected`);
        listener.accept(peer.peer);
        down.send(() => {
          if (!agent.open || !life.isAlive()) return;
          expectPing();
          agentEvents.opened(ask, meter);
        });
        timeline.after(PING_MS, ping);
      };

      if (faults.cut) {
        const [least] = faults.delayMs;
        timeline.after(least, () => endAgent(new LinkError('unreachable', 'No route.')));
      } else up.send(arrive);

      return () => {
        if (!agent.open) return;
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
        if (change.cut === true) for (const connection of [...mine]) connection.abort();
        for (const connection of [...mine]) connection.healed();
      },
      link: (life, instance) => ({
        connect: () =>
          new Observable<LinkEvent>((subscriber) =>
            connect(life, instance, {
              opened: (ask, meter) =>
                subscriber.next({ type: 'open', session: createParsedSession(ask, meter) }),
              event: (event, payload) => subscriber.next(linkEventOf(event, payload)),
              fail: (error) => subscriber.error(error),
            }),
          ),
      }),
      drop: (silently) => {
        for (const connection of [...mine]) connection.agentDied(silently);
      },
    };
  };
  return { wire, server };
}

type Waiting = { readonly fail: (error: LinkError) => void; readonly answer: (reply: unknown) => void };
type AgentSide = {
  readonly opened: (
    ask: (event: keyof AgentToHqEvents, args: readonly unknown[]) => Observable<unknown>,
    meter: Meter,
  ) => void;
  readonly event: (event: string, payload: unknown) => void;
  readonly fail: (error: LinkError) => void;
};

function linkEventOf(event: string, payload: unknown): LinkEvent {
  const { message } = payload as { readonly message?: unknown };
  const credit = creditSchema.safeParse(payload);
  if (event === 'credit' && credit.success) return { type: 'credit', ...credit.data };
  if (event === 'conflict' && typeof message === 'string') return { type: 'conflict', message };
  return { type: 'ignored', name: event };
}

type PeerSide = {
  readonly peer: AgentPeer;
  readonly message: (message: PeerMessage) => void;
  readonly end: (reason: string) => void;
};

function createPeer(
  address: string,
  credentials: AgentPeer['credentials'],
  wire: {
    readonly toAgent: (event: string, payload: Readonly<Record<string, unknown>>) => void;
    readonly probe: (answer: (value: unknown) => void) => void;
    readonly close: () => void;
    readonly received: () => number;
  },
): PeerSide {
  const messages$ = new Subject<PeerMessage>();
  const ended$ = new Subject<string>();
  return {
    message: (message) => messages$.next(message),
    end: (reason) => {
      ended$.next(reason);
      ended$.complete();
      messages$.complete();
    },
    peer: {
      address,
      credentials,
      messages$,
      faults$: new Subject<string>(),
      ended$,
      sendCredit: (credit) => wire.toAgent('credit', credit),
      sendConflict: (message) => wire.toAgent('conflict', { message }),
      // The agents of a simulation heed their answers.
      setReading: () => {},
      probe: () =>
        new Observable((subscriber) => {
          const gone = ended$.subscribe(() => subscriber.error(new Error('the connection ended')));
          wire.probe((value) => {
            subscriber.next(value);
            subscriber.complete();
          });
          return gone;
        }),
      disconnect: wire.close,
      received: wire.received,
    },
  };
}

/** As the wire would: neither side ever sees the other's objects. */
function copyOf(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function sizeOf(args: readonly unknown[]): string {
  return args.map((one) => (one instanceof Uint8Array ? `${one.length}B` : '')).join('');
}

/** About what a message costs on the wire. */
function bytesOf(event: string, args: readonly unknown[]): number {
  const contents = args.map((one) =>
    one instanceof Uint8Array ? one.length : (JSON.stringify(one)?.length ?? 0),
  );
  return contents.reduce((sum, bytes) => sum + bytes, ENVELOPE_BYTES + event.length);
}

function outcomeOf(reply: unknown): string {
  const { ok, error } = reply as { readonly ok?: unknown; readonly error?: { readonly code?: unknown } };
  return ok === true ? 'ok' : String(error?.code);
}
