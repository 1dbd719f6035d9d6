/** The real link in a test, against real sockets; all of it ends with the test. */
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Subscription } from 'rxjs';
import { onTestFinished } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { createSystemClock } from '../../platform/clock.ts';
import { type Link, LinkError, type LinkEvent, type LinkSession } from '../uplink/link.ts';
import { createSocketIoLink, type SocketIoLinkOptions } from '../uplink/socketio-link.ts';
import { type FakeHq, type FakeHqBehaviour, startFakeHq } from './fake-hq.ts';

export const HELLO = {
  protocol: 1,
  schema: 1,
  agent: 'a',
  epoch: '0123456789ab',
  instance: 'me',
  version: '0',
  sampled: 0,
  released: 0,
  ts: 1,
};

export async function fakeHq(behave: FakeHqBehaviour = {}): Promise<FakeHq> {
  const hq = await startFakeHq(() => behave);
  onTestFinished(hq.close);
  return hq;
}

/** Puts the server on a free port; gives the port. */
export async function listening(server: Server | HttpServer): Promise<number> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => void open.add(socket));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

export type LinkOptions = Partial<Pick<SocketIoLinkOptions, 'transport' | 'connectTimeoutMs' | 'proxy'>> & {
  readonly token?: string;
};

export function linkTo(url: string, { token, ...options }: LinkOptions = {}): Link {
  return createSocketIoLink({
    url,
    token: () => token,
    instance: 'me',
    connectTimeoutMs: 60_000,
    clock: createSystemClock(),
    ...options,
  });
}

export type WatchedLink = {
  readonly events: LinkEvent[];
  /** What it ended by. */
  error: LinkError | null;
  readonly subscription: Subscription;
};

export function watchLink(link: Link): WatchedLink {
  const events: LinkEvent[] = [];
  const subscription = link.connect().subscribe({
    next: (event) => events.push(event),
    error: (error) => {
      if (!(error instanceof LinkError)) throw error;
      watched.error = error;
    },
  });
  const watched: WatchedLink = { events, error: null, subscription };
  onTestFinished(() => subscription.unsubscribe());
  return watched;
}

export async function failureOf(link: Link): Promise<LinkError> {
  const watched = watchLink(link);
  return eventually(() => watched.error ?? Promise.reject(new Error('no failure yet')));
}

export async function openLink(link: Link): Promise<WatchedLink & { readonly session: LinkSession }> {
  const watched = watchLink(link);
  const session = await eventually(() => {
    const [event] = watched.events;
    if (event?.type !== 'open') throw new Error(`not open yet: ${watched.error?.message}`);
    return event.session;
  });
  return Object.assign(watched, { session });
}
