/** A TCP relay that counts what passes it, and lets through only as much as a test says. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export type HeldRelay = {
  readonly port: number;
  readonly url: string;
  /** Bytes from client to server, and back, that it has passed on. */
  readonly up: () => number;
  readonly down: () => number;
  /** Bytes back to the client that may pass in all; what comes beyond waits. */
  readonly allowDown: (bytes: number) => void;
  /** Bytes to the server that may pass in all; what comes beyond waits. */
  readonly allowUp: (bytes: number) => void;
};

type Direction = { passed: number; allowed: number; readonly pumps: Set<() => void> };

/** Before `targetPort`, on a free loopback port; closed when the test ends. */
export async function startHeldRelay(targetPort: number): Promise<HeldRelay> {
  const up: Direction = { passed: 0, allowed: Number.POSITIVE_INFINITY, pumps: new Set() };
  const down: Direction = { passed: 0, allowed: Number.POSITIVE_INFINITY, pumps: new Set() };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const target = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true });
    const ends = [forward(client, target, up), forward(target, client, down)];
    const destroy = () => {
      for (const end of ends) end();
      client.destroy();
      target.destroy();
    };
    for (const one of [client, target]) {
      one.on('error', destroy);
      one.on('close', destroy);
    }
    onTestFinished(destroy);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const allow = (direction: Direction) => (bytes: number) => {
    direction.allowed = bytes;
    for (const pump of direction.pumps) pump();
  };
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    up: () => up.passed,
    down: () => down.passed,
    allowDown: allow(down),
    allowUp: allow(up),
  };
}

/** Reads only what it may pass on, so that the sender's kernel fills up as behind a slow link. */
function forward(from: Socket, to: Socket, direction: Direction): () => void {
  const pump = () => {
    for (;;) {
      const room = Math.min(direction.allowed - direction.passed, from.readableLength);
      const chunk: Buffer | null = room > 0 ? from.read(room) : null;
      if (chunk === null) return;
      direction.passed += chunk.length;
      to.write(chunk);
    }
  };
  direction.pumps.add(pump);
  from.on('readable', pump);
  from.on('end', () => to.end());
  return () => void direction.pumps.delete(pump);
}
