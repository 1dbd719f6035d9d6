/** What one simulated connection consists of, and how either side's view of it ends. */
import type { Subscription } from 'rxjs';
import { LinkError } from '../../src/agent/uplink/link.ts';
import type { Admit, AgentPeer } from '../../src/hq/ingest/core/agent-server.ts';
import type { AgentSide, PeerSide, Waiting } from './ends.ts';
import type { WireFaults } from './line-shape.ts';
import type { Life } from './machine.ts';
import type { Ended, NetworkOptions } from './network-port.ts';
import type { Pipe } from './pipe.ts';
import type { WireSizes } from './wire-sizes.ts';

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

/** One connection. Each side hears of its end once, and never again. */
export type ConnectionState = {
  readonly net: NetState;
  readonly wire: WireState;
  /** Of the agent. */
  readonly life: Life;
  /** What the agent answers HQ's probe. */
  readonly instance: string;
  readonly number: number;
  readonly agentSide: AgentSide;
  readonly handle: Connection;
  readonly up: Pipe;
  readonly down: Pipe;
  readonly sizes: WireSizes;
  readonly waiting: Map<number, Waiting>;
  /** Of the agent's side, in bytes. */
  readonly traffic: { sent: number; received: number };
  /** Bytes that reached HQ: each is a sign of life. */
  heard: number;
  /** When bytes last arrived anywhere. */
  arrivedAt: number;
  asked: number;
  agentOpen: boolean;
  /** The agent has been told that it is connected. */
  opened: boolean;
  hq: { readonly life: Life; open: boolean; readonly peer: PeerSide } | null;
  /** Ends the agent's waiting for the next byte. */
  silence: () => void;
  /** The agent's waiting for the connection to be made. */
  connecting: Subscription;
};

const CLOSE_BYTES = 8;

export function closed(why: string): LinkError {
  return new LinkError('closed', `HQ is gone: ${why}.`);
}

/** Whether the agent's process lives and takes the connection for open. */
export function isAgentThere({ agentOpen, life }: ConnectionState): boolean {
  return agentOpen && life.isAlive();
}

/** Reports what one side ends, for reasons of its own. */
export function tellEnd({ net, wire, arrivedAt, up, down }: ConnectionState, by: Ended['by']): void {
  net.watch?.ended({
    wire: wire.name,
    by,
    quietMs: net.timeline.now() - arrivedAt,
    waitingBytes: up.waiting().bytes + down.waiting().bytes,
  });
}

export function endAgent(state: ConnectionState, error: LinkError): void {
  if (!state.agentOpen) return;
  state.agentOpen = false;
  state.silence();
  state.connecting.unsubscribe();
  state.up.abandon();
  forget(state);
  if (!state.life.isAlive()) return;
  failWaiting(state, error);
  state.agentSide.fail(error);
}

export function endHq(state: ConnectionState, reason: string): void {
  const { hq, down } = state;
  if (hq === null || !hq.open) return;
  hq.open = false;
  down.abandon();
  forget(state);
  if (hq.life.isAlive()) hq.peer.end(reason);
}

/** What an agent's process does at its end, whether it wants to or not. */
export function hangUp(state: ConnectionState): void {
  state.up.abandon();
  state.up.send(CLOSE_BYTES, () => endHq(state, 'transport close'));
}

export function hangUpAgent(state: ConnectionState, error: LinkError): void {
  state.down.send(CLOSE_BYTES, () => endAgent(state, error));
}

/** The agent closes it. */
export function closeByAgent(state: ConnectionState): void {
  state.connecting.unsubscribe();
  if (!state.agentOpen) return;
  tellEnd(state, 'agent');
  state.agentOpen = false;
  state.silence();
  forget(state);
  failWaiting(state, closed('closed by the agent'));
  hangUp(state);
}

/** What others do to a connection: those who cut lines and kill processes. */
export function handleOf(state: () => ConnectionState): Connection {
  return {
    abort: () => {
      const { net, wire } = state();
      const delayMs = () => net.chance.between(...wire.faults.delayMs);
      net.timeline.after(delayMs(), () => endHq(state(), 'transport error'));
      net.timeline.after(delayMs(), () => endAgent(state(), closed('transport error')));
    },
    agentDied: (silently) => {
      const mine = state();
      if (!mine.agentOpen) return;
      mine.agentOpen = false;
      mine.silence();
      forget(mine);
      if (silently) mine.up.abandon();
      else hangUp(mine);
    },
    serverDied: (silently) => {
      const mine = state();
      if (mine.hq === null || !mine.hq.open) return;
      mine.hq.open = false;
      forget(mine);
      mine.down.abandon();
      if (!silently) hangUpAgent(mine, closed('transport close'));
    },
    healed: () => {
      state().up.healed();
      state().down.healed();
    },
  };
}

function failWaiting({ waiting }: ConnectionState, error: LinkError): void {
  for (const one of [...waiting.values()]) one.fail(error);
  waiting.clear();
}

function forget({ agentOpen, hq, net, wire, handle }: ConnectionState): void {
  if (agentOpen || hq?.open === true) return;
  net.connections.delete(handle);
  wire.mine.delete(handle);
}
