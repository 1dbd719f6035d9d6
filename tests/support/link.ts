/**
 * A TCP relay that is one slow link for all connections through it, as link-model.ts computes it on this machine's
 * clock.
 *
 * What it is honest about: rate and headers each way, delay, a modem queue that makes its sender wait when it is full,
 * answers of TCP, outages in which everything waits. What it leaves out: packets that are lost (TCP hides them), the
 * congestion window, and the time that data waits for a TCP handshake, unless `handshake` is set.
 *
 * What hides from it: the kernel's buffers on loopback hold what a sender has written and the relay has not read, as
 * they do in front of a real modem: 0.9 MB as measured with the defaults of Linux. The relay reads from a connection
 * only while the modem has taken all that it read before, which is at most 64 KiB; `waitingBytes` of the state says how
 * much that is now.
 */
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import type { Carried, LineOptions } from './link-line.ts';
import { createLinkModel, type Flow, type LinkModel, type Way } from './link-model.ts';

export type LinkRelayOptions = {
  readonly up: LineOptions;
  readonly down: LineOptions;
  /** Port of this machine behind the link. */
  readonly target: () => number;
  /** Data waits until the far end has granted the connection: one round trip more for each. Default false. */
  readonly handshake?: boolean;
  /** Sees all bytes of each connection as they arrive at the far end. */
  readonly onBytes?: (connection: number, way: Way, bytes: Buffer) => void;
};

export type Closed = { readonly at: number; readonly by: 'agent' | 'hq' | 'cut' };
export type LinkState = {
  /** `performance.now()`. */
  readonly at: number;
  readonly up: Carried;
  readonly down: Carried;
  /** Waits in the modem, upward, and of what was read from senders but is not in it. */
  readonly queuedBytes: number;
  readonly waitingBytes: number;
  /** When each connection was asked for, and which of them ended. */
  readonly opened: readonly number[];
  readonly closed: readonly Closed[];
};

export type LinkRelay = {
  readonly port: number;
  readonly url: string;
  readonly state: () => LinkState;
  readonly change: (changes: Parameters<LinkModel['change']>[0]) => void;
  /** Nothing is carried until `restore`; connections stay open and what is sent waits. */
  readonly interrupt: () => void;
  readonly restore: () => void;
  /** Resets all connections; what waits and what is on the way is lost. */
  readonly cut: () => void;
  readonly close: () => void;
};

type Connection = { readonly client: Socket; server: Socket | null; isOpen: boolean };

type Relay = {
  readonly options: LinkRelayOptions;
  readonly model: LinkModel;
  readonly connections: Set<Connection>;
  readonly flows: Set<Flow>;
  readonly opened: number[];
  readonly now: () => number;
  /** Does what is due on the link, and comes back when something is next. */
  readonly turn: () => void;
  readonly gone: (connection: Connection, by: Closed['by']) => void;
};

/** Listens on a free port of this machine. */
export async function startLink(options: LinkRelayOptions): Promise<LinkRelay> {
  const now = () => performance.now();
  const model = createLinkModel(options, now());
  const connections = new Set<Connection>();
  const flows = new Set<Flow>();
  const opened: number[] = [];
  const closed: Closed[] = [];
  let timer: NodeJS.Timeout | undefined;

  const turn = () => {
    clearTimeout(timer);
    model.advance(now());
    const next = model.next();
    // Rounded up: a timer that is early by a fraction of a ms would spin.
    if (Number.isFinite(next)) timer = setTimeout(turn, Math.max(1, Math.ceil(next - now())));
  };
  const gone = (connection: Connection, by: Closed['by']) => {
    if (!connection.isOpen) return;
    connection.isOpen = false;
    closed.push({ at: now(), by });
  };

  const relay: Relay = { options, model, connections, flows, opened, now, turn, gone };
  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) =>
    accept(relay, client),
  );
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  const cut = () => {
    model.clear(now());
    for (const connection of connections) {
      gone(connection, 'cut');
      connection.client.resetAndDestroy();
      connection.server?.resetAndDestroy();
    }
    connections.clear();
    flows.clear();
  };
  const change: LinkRelay['change'] = (changes) => {
    model.change(changes, now());
    turn();
  };
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    state: () => {
      const at = now();
      return {
        at,
        up: model.carried('up', at),
        down: model.carried('down', at),
        queuedBytes: model.queuedBytes('up'),
        waitingBytes: [...flows].reduce((sum, flow) => sum + flow.waitingBytes(), 0),
        opened: [...opened],
        closed: [...closed],
      };
    },
    change,
    interrupt: () => change({ isUp: false }),
    restore: () => change({ isUp: true }),
    cut,
    close: () => {
      cut();
      clearTimeout(timer);
      listener.close();
    },
  };
}

function accept(relay: Relay, client: Socket): void {
  const { options, model, connections, flows, opened, now, turn, gone } = relay;
  const connection: Connection = { client, server: null, isOpen: true };
  const id = opened.push(now());
  connections.add(connection);
  client.setNoDelay(true);
  const up = model.addFlow({
    way: 'up',
    onArrival: (kind, payload) => {
      if (kind === 'open') connectOnward();
      else pass(connection.server, kind, payload, (bytes) => options.onBytes?.(id, 'up', bytes));
    },
    onTaken: () => client.resume(),
    isTaking: () => connection.server?.writableNeedDrain !== true,
  });
  const down = model.addFlow({
    way: 'down',
    onArrival: (kind, payload) => {
      if (kind !== 'open') pass(client, kind, payload, (bytes) => options.onBytes?.(id, 'down', bytes));
      else if (options.handshake === true) client.resume();
    },
    onTaken: () => connection.server?.resume(),
    isTaking: () => !client.writableNeedDrain,
  });
  for (const flow of [up, down]) flows.add(flow);
  const connectOnward = () => {
    const server = connectTcp({ port: options.target(), host: '127.0.0.1', allowHalfOpen: true });
    connection.server = server;
    server.setNoDelay(true);
    server.once('connect', () => {
      down.open(now());
      turn();
    });
    carry(relay, server, down, () => gone(connection, 'hq'));
    server.on('drain', turn);
  };
  carry(relay, client, up, () => gone(connection, 'agent'));
  client.on('drain', turn);
  const over = () => {
    if (!client.destroyed || connection.server?.destroyed === false) return;
    connections.delete(connection);
    for (const flow of [up, down]) flows.delete(flow);
  };
  client.on('close', over);
  up.open(now());
  if (options.handshake !== true) client.resume();
  turn();
}

/** What a socket gives goes onto the link. */
function carry({ now, turn }: Relay, from: Socket, flow: Flow, onGone: () => void): void {
  from.on('data', (bytes: Buffer) => {
    from.pause();
    flow.offer(bytes, now());
    turn();
  });
  from.on('end', () => {
    onGone();
    flow.end(now());
    turn();
  });
  from.on('error', () => {});
  from.on('close', () => {
    onGone();
    if (from.readableEnded) return;
    flow.reset(now());
    turn();
  });
}

/** What arrived goes to the socket at this end. */
function pass(
  to: Socket | null,
  kind: 'open' | 'data' | 'end' | 'reset' | 'ack',
  payload: Buffer,
  onData: (bytes: Buffer) => void,
): void {
  if (to === null || to.destroyed) return;
  if (kind === 'data') {
    onData(payload);
    to.write(payload);
  } else if (kind === 'end') to.end();
  else to.resetAndDestroy();
}

/** What was carried between two states of a link. */
export function carriedBetween(before: Carried, after: Carried): Carried {
  return {
    payloadBytes: after.payloadBytes - before.payloadBytes,
    wireBytes: after.wireBytes - before.wireBytes,
    packets: after.packets - before.packets,
    busyMs: after.busyMs - before.busyMs,
    upMs: after.upMs - before.upMs,
    capacityBytes: after.capacityBytes - before.capacityBytes,
  };
}
