/**
 * Whom HQ takes for dead, over real sockets: Engine.IO's own timers decide, and nothing here is judged by the clock.
 */
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { startTestGateway } from './testing/listening.ts';
import { connectSlowly, messageOf, type SlowClient, UPGRADE } from './testing/slow-client.ts';

const PINGS = 4;

async function startGateway() {
  const gateway = await startTestGateway({
    settings: { socket: { pingIntervalMs: 300, pingTimeoutMs: 500, connectTimeoutMs: 60_000 } },
  });
  onTestFinished(gateway.stop);
  const reasons: string[] = [];
  gateway.io.engine.on(
    'connection',
    (socket: { on: (event: 'close', listener: (why: string) => void) => void }) =>
      socket.on('close', (why) => reasons.push(why)),
  );
  return { ...gateway, reasons };
}

/** The ping is a text message of one byte. */
const pingsOf = (client: SlowClient) => client.received().split('\u0081\u00012').length - 1;

async function joined(port: number): Promise<SlowClient> {
  const client = connectSlowly(port);
  client.send(UPGRADE);
  await eventually(() => expect(client.received()).toContain('pingInterval'));
  client.send(messageOf('40/dashboard,'));
  return client;
}

describe('a connection that never answers a ping', () => {
  it('lives while a byte of a long message comes after each ping, and dies without', async () => {
    const { port, reasons } = await startGateway();
    const client = await joined(port);
    client.send(messageOf('', 30_000));
    for (let pings = 1; pings <= PINGS; pings += 1) {
      await eventually(() => expect(pingsOf(client)).toBe(pings));
      client.send('x');
    }
    await eventually(() => expect(pingsOf(client)).toBe(PINGS + 1));
    expect(reasons).toEqual([]);
    // Nothing more comes.
    await eventually(() => expect(reasons).toEqual(['ping timeout']));
    expect(pingsOf(client)).toBe(PINGS + 1);
  });

  it('lives while the body of a request trickles in, where it polls', async () => {
    const { port, url, reasons } = await startGateway();
    const path = `${url}/socket.io/?EIO=4&transport=polling`;
    const handshake = await (await fetch(path)).text();
    const { sid } = JSON.parse(handshake.slice(1));
    const sender = connectSlowly(port);
    sender.send(
      `POST /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000\r\n\r\n`,
    );
    for (let pings = 0; pings < PINGS; pings += 1) {
      expect(await (await fetch(`${path}&sid=${sid}`)).text()).toBe('2');
      sender.send('x');
    }
    expect(reasons).toEqual([]);
    const last = fetch(`${path}&sid=${sid}`).then((answer) => answer.text());
    await eventually(() => expect(reasons).toEqual(['ping timeout']));
    await last.catch(() => {});
  });
});
