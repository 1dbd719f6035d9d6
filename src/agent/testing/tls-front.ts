/**
 * TLS before a plain server, for tests. Key and certificate are for `localhost`, sign themselves, and protect nothing.
 */
import { randomBytes } from 'node:crypto';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { createServer } from 'node:tls';
import { onTestFinished } from 'vitest';

export type TlsFront = {
  readonly port: number;
  /** Handshakes that resumed a session. */
  readonly resumed: () => number;
  /** Forgets all sessions. */
  readonly forget: () => void;
  /** Resets all connections. */
  readonly cut: () => void;
};

/** On a free loopback port; closed when the test ends. */
export async function startTlsFront(targetPort: number): Promise<TlsFront> {
  let resumed = 0;
  const sockets = new Set<Socket>();
  const server = createServer({ key: TEST_KEY, cert: TEST_CERT }, (client) => {
    if (client.isSessionReused()) resumed += 1;
    const target = connect(targetPort, '127.0.0.1');
    client.pipe(target).pipe(client);
    for (const one of [client, target]) {
      one.on('error', () => {});
      one.on('close', () => {
        client.destroy();
        target.destroy();
      });
    }
    onTestFinished(() => void client.destroy());
  });
  server.on('connection', (socket: Socket) => void sockets.add(socket));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return {
    port: (server.address() as AddressInfo).port,
    resumed: () => resumed,
    forget: () => server.setTicketKeys(randomBytes(48)),
    cut: () => {
      for (const socket of sockets) socket.resetAndDestroy();
      sockets.clear();
    },
  };
}

const TEST_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgWERyWPe5rx/mVSHb
Q6VimBGI6VNQ4lHnxM951dv+zX6hRANCAAQj2rTMd5uVre+210oGW9mryzlPYJAj
y3KhmUaEbmVq8e/hLIGms1GAzNXvWLl4CCl2BZKpEgogkOVVDZ3RwK91
-----END PRIVATE KEY-----
`;
export const TEST_CERT = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUOV1D/QFBWArUFA1hdsikCTFEbuYwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyODA4NTY1N1oYDzIxMjYxMTA0
MDg1NjU3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQj2rTMd5uVre+210oGW9mryzlPYJAjy3KhmUaEbmVq8e/hLIGms1GA
zNXvWLl4CCl2BZKpEgogkOVVDZ3RwK91o28wbTAdBgNVHQ4EFgQU8Y5AIGny3yMa
ctK1J7dxy+fvap8wHwYDVR0jBBgwFoAU8Y5AIGny3yMactK1J7dxy+fvap8wDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIhAMIScBvZhY941rivz+vQ2DWQN96wryxM3celIn41zUcHAiB4
Qgj/YKkHNsPoiQ81Zdm1E+i6s+8lwJhIM6MkVfijGA==
-----END CERTIFICATE-----
`;
