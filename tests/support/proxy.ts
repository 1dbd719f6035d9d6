/** A TCP proxy that misbehaves on command. */
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export type LinkMode =
  | { readonly kind: 'pass' }
  /** New connections are reset, open ones too. */
  | { readonly kind: 'refuse' }
  /** Connections are accepted and nothing comes through. */
  | { readonly kind: 'black-hole' }
  /** Open connections stay open but carry nothing any more; new ones neither. */
  | { readonly kind: 'half-open' }
  | { readonly kind: 'delay'; readonly ms: number }
  /** Each connection is reset after this many bytes from the client. */
  | { readonly kind: 'reset-after'; readonly bytes: number };

export type Proxy = {
  readonly port: number;
  readonly url: string;
  readonly set: (mode: LinkMode) => void;
  /** Bytes from client to server so far. */
  readonly bytesUp: () => number;
};

/** Listens on a free loopback port in front of `target` (a port, or a function that gives it at each connection). */
export async function startProxy(target: () => number): Promise<Proxy> {
  let mode: LinkMode = { kind: 'pass' };
  let bytesUp = 0;
  const pairs = new Set<{ client: Socket; server: Socket }>();
  const destroy = (pair: { client: Socket; server: Socket }) => {
    pair.client.resetAndDestroy();
    pair.server.resetAndDestroy();
    pairs.delete(pair);
  };

  const listener = createServer((client) => {
    client.on('error', () => {});
    if (mode.kind === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    const server = connectTcp(target(), '127.0.0.1');
    const pair = { client, server };
    pairs.add(pair);
    let received = 0;
    const forward = (from: Socket, to: Socket, isUp: boolean) => {
      from.on('data', (chunk) => {
        if (isUp) {
          received += chunk.length;
          bytesUp += chunk.length;
        }
        if (mode.kind === 'black-hole' || mode.kind === 'half-open') return;
        if (mode.kind === 'reset-after' && isUp && received > mode.bytes) {
          // A part of the chunk gets through: the reset falls into the middle of a frame.
          to.write(chunk.subarray(0, Math.floor(chunk.length / 2)), () => destroy(pair));
          return;
        }
        if (mode.kind === 'delay') setTimeout(() => to.writable && to.write(chunk), mode.ms);
        else to.write(chunk);
      });
      from.on('error', () => destroy(pair));
      from.on('close', () => {
        if (mode.kind !== 'half-open' && mode.kind !== 'black-hole') destroy(pair);
      });
    };
    forward(client, server, true);
    forward(server, client, false);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const pair of pairs) destroy(pair);
    listener.close();
  });
  const { port } = listener.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    bytesUp: () => bytesUp,
    set: (next) => {
      mode = next;
      // Cutting a link ends what is open; half-open and black hole leave it hanging.
      if (next.kind === 'refuse') for (const pair of pairs) destroy(pair);
      // A connection that hung has lost bytes and cannot go on.
      if (next.kind === 'pass') for (const pair of pairs) destroy(pair);
    },
  };
}
