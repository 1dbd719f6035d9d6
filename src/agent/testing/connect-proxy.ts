/** An HTTP proxy that knows CONNECT: every name leads to one port of this machine. */
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export type ConnectProxy = {
  readonly port: number;
  /** Hosts and ports that were asked for. */
  readonly targets: readonly string[];
  /** Answers CONNECT with this status from now on; null: it connects. */
  readonly refuse: (status: number | null) => void;
};

/** `authorization`: what it wants as Proxy-Authorization; without it 407. */
export async function startConnectProxy(targetPort: number, authorization?: string): Promise<ConnectProxy> {
  const targets: string[] = [];
  let refusal: number | null = null;
  const open = new Set<Socket>();
  const server = createServer((_request, response) => void response.writeHead(405).end());
  server.on('connect', (request, client: Socket) => {
    targets.push(request.url ?? '');
    client.on('error', () => {});
    open.add(client);
    const isKnown = authorization === undefined || request.headers['proxy-authorization'] === authorization;
    const status = refusal ?? (isKnown ? 200 : 407);
    if (status !== 200) {
      client.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const target = connect(targetPort, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n');
      client.pipe(target).pipe(client);
    });
    open.add(target);
    target.on('error', () => client.destroy());
    client.on('close', () => target.destroy());
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    targets,
    refuse: (status) => {
      refusal = status;
    },
  };
}
