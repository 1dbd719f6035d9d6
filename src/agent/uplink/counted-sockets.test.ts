/** What a link counts of its connection, against a relay that counts too. */
import { type AddressInfo, connect, createServer } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { startHeldRelay } from '../testing/held-relay.ts';
import { startTlsFront, TEST_CERT } from '../testing/tls-front.ts';
import { failureOf, fakeHq, HELLO, linkTo, openLink } from '../testing/watched-link.ts';
import { createSocketCounter } from './counted-sockets.ts';
import type { Link, Traffic } from './link.ts';

async function hqOnPort() {
  const hq = await fakeHq();
  return { hq, port: Number(new URL(hq.url).port) };
}

/** Nobody listens there. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => void server.close(resolve));
  return port;
}

describe('bytes of a connection', () => {
  it('are those of the TCP payload, both ways, from the handshake on', async () => {
    const { port } = await hqOnPort();
    const relay = await startHeldRelay(port);
    const { session } = await openLink(linkTo(relay.url));
    await firstValueFrom(session.hello(HELLO));
    await eventually(() => {
      expect(session.unsent()).toBe(0);
      expect(session.traffic()).toEqual({ sent: relay.up(), received: relay.down() });
    });
    // An HTTP upgrade and a hello.
    expect(relay.up()).toBeGreaterThan(300);
    expect(relay.down()).toBeGreaterThan(300);
  });

  it.each(['an answer that is not HQ', 'a certificate that nobody knows'])(
    'are told of a try that opens nothing: %s',
    async (what) => {
      const { port } = await hqOnPort();
      const page = createServer((socket) => socket.once('data', () => socket.end('HTTP/1.1 403 No\r\n\r\n')));
      await new Promise<void>((resolve) => void page.listen(0, '127.0.0.1', resolve));
      onTestFinished(() => void page.close());
      const isTls = what.includes('certificate');
      const front = isTls ? await startTlsFront(port) : { port: (page.address() as AddressInfo).port };
      const relay = await startHeldRelay(front.port);
      const tries: (() => Traffic)[] = [];
      const link = linkTo(`${isTls ? 'https' : 'http'}://127.0.0.1:${relay.port}`);
      const tryOnce = () =>
        lastValueFrom(link.connect({ onTry: (traffic) => tries.push(traffic) })).then(
          () => null,
          (error: unknown) => error,
        );
      const first = await tryOnce();
      expect(first).toMatchObject({ kind: isTls ? 'tls' : 'upgrade_blocked' });
      await eventually(() =>
        expect(tries.map((one) => one())).toEqual([{ sent: relay.up(), received: relay.down() }]),
      );
      expect(relay.up()).toBeGreaterThan(isTls ? 300 : 150);
      expect(relay.down()).toBeGreaterThan(isTls ? 800 : 10);
      const before = tries[0]?.();
      await tryOnce();
      expect(tries).toHaveLength(2);
      expect(tries[0]?.()).toEqual(before);
    },
  );

  it.each([
    ['websocket', 'http', 'HQ'],
    ['websocket', 'https', 'HQ'],
    ['polling', 'http', 'HQ'],
    ['websocket', 'http', 'a proxy'],
    ['websocket', 'https', 'a proxy'],
    ['websocket', 'http', 'a name'],
  ] as const)(
    'are none where no TCP connection comes about: %s, %s, without %s',
    async (transport, scheme, what) => {
      const nobody = `127.0.0.1:${await closedPort()}`;
      const where = what === 'a name' ? 'holdfast.invalid:1' : nobody;
      const proxy = { url: new URL(`http://${nobody}`), shown: `http://${nobody}`, variable: 'HTTPS_PROXY' };
      const link = linkTo(`${scheme}://${where}`, { transport, ...(what === 'a proxy' && { proxy }) });
      const tries: (() => Traffic)[] = [];
      const attempt = lastValueFrom(link.connect({ onTry: (traffic) => tries.push(traffic) }));
      await expect(attempt).rejects.toThrow();
      expect(tries.map((one) => one())).toEqual([{ sent: 0, received: 0 }]);
    },
  );

  it('are none while a connection is not answered, nor once it is given up', async () => {
    const counter = createSocketCounter();
    const tcp = connect({ host: 'hq', port: 1, lookup: () => {} });
    counter.add(tcp, tcp);
    tcp.write('x'.repeat(1_000));
    expect(tcp.bytesWritten).toBe(1_000);
    expect(counter.traffic()).toEqual({ sent: 0, received: 0 });
    const closed = new Promise((resolve) => tcp.once('close', resolve));
    counter.reset();
    await closed;
    expect(counter.traffic()).toEqual({ sent: 0, received: 0 });
    expect(counter.waiting()).toBe(0);
  });

  it('begin at nothing with each connection', async () => {
    const { port } = await hqOnPort();
    const link = linkTo(`http://127.0.0.1:${port}`);
    const first = await openLink(link);
    await firstValueFrom(first.session.hello(HELLO));
    const { sent } = first.session.traffic();
    first.subscription.unsubscribe();
    const second = await openLink(link);
    expect(second.session.traffic().sent).toBeGreaterThan(0);
    expect(second.session.traffic().sent).toBeLessThan(sent);
  });

  it('count those of TLS, also of a record that is not here whole', async () => {
    const { hq, port } = await hqOnPort();
    const front = await startTlsFront(port);
    const relay = await startHeldRelay(front.port);
    const trusted = getCACertificates();
    setDefaultCACertificates([...trusted, TEST_CERT]);
    onTestFinished(() => setDefaultCACertificates(trusted));
    const link = linkTo(`https://127.0.0.1:${relay.port}`);
    const { session, events, subscription } = await openLink(link);
    await firstValueFrom(session.hello(HELLO));
    await eventually(() => expect(session.traffic()).toEqual({ sent: relay.up(), received: relay.down() }));
    const before = relay.down();
    relay.allowDown(before + 100);
    hq.io.of('/agents').emit('credit', { frames: 3, padding: 'x'.repeat(8_000) });
    await eventually(() => expect(session.traffic().received).toBe(before + 100));
    expect(events).toHaveLength(1);
    relay.allowDown(Number.POSITIVE_INFINITY);
    await eventually(() => expect(events).toHaveLength(2));

    // The next connection resumes the session: it costs no certificate.
    expect(front.resumed()).toBe(0);
    subscription.unsubscribe();
    await openLink(link);
    expect(front.resumed()).toBe(1);
  });

  it('are few where a session is resumed, also after a cut, and a whole handshake where HQ has forgotten it', async () => {
    const { port } = await hqOnPort();
    const front = await startTlsFront(port);
    const trusted = getCACertificates();
    setDefaultCACertificates([...trusted, TEST_CERT]);
    onTestFinished(() => setDefaultCACertificates(trusted));
    const link = linkTo(`https://127.0.0.1:${front.port}`);
    const sent: number[] = [];
    const resumed: number[] = [];
    const connect = async () => {
      const { session, subscription } = await openLink(link);
      await firstValueFrom(session.hello(HELLO));
      sent.push(session.traffic().sent);
      resumed.push(front.resumed());
      front.cut();
      subscription.unsubscribe();
    };
    await connect();
    await connect();
    front.forget();
    await connect();
    await connect();
    await connect();
    expect(resumed).toEqual([0, 1, 1, 1, 2]);
    const [whole = 0, again = 0, , wholeAgain = 0, last = 0] = sent;
    expect(again).toBeLessThan(whole - 700);
    expect(wholeAgain).toBe(whole);
    expect(last).toBe(again);
  });

  it('that the kernel does not take are unsent', async () => {
    const { port } = await hqOnPort();
    const relay = await startHeldRelay(port);
    const { session } = await openLink(linkTo(relay.url));
    await firstValueFrom(session.hello(HELLO));
    relay.allowUp(relay.up());
    // More than all buffers of two sockets hold.
    for (let frames = 0; frames < 32; frames += 1) {
      session.goodbye({ reason: 'x'.repeat(900_000) }).subscribe({ error: () => {} });
    }
    expect(session.unsent()).toBeGreaterThan(20_000_000);
    await eventually(() => expect(session.unsent()).toBeLessThan(session.traffic().sent));
    expect(session.unsent()).toBeGreaterThan(1_000_000);
    relay.allowUp(Number.POSITIVE_INFINITY);
    await eventually(() => expect(session.unsent()).toBe(0));
  });
});

describe('a TCP connection that may be begun again', () => {
  const eager = (url: string): Link => {
    const link = linkTo(url);
    return { connect: (options) => link.connect({ ...options, againMs: 60_000 }) };
  };

  it('carries and counts what any other does', async () => {
    const { port } = await hqOnPort();
    const relay = await startHeldRelay(port);
    const link = eager(relay.url);
    const { session, subscription } = await openLink(link);
    await firstValueFrom(session.hello(HELLO));
    await eventually(() => expect(session.traffic()).toEqual({ sent: relay.up(), received: relay.down() }));
    subscription.unsubscribe();
    await openLink(link);
  });

  it('carries TLS, and resumes its session', async () => {
    const { port } = await hqOnPort();
    const front = await startTlsFront(port);
    const trusted = getCACertificates();
    setDefaultCACertificates([...trusted, TEST_CERT]);
    onTestFinished(() => setDefaultCACertificates(trusted));
    const link = eager(`https://localhost:${front.port}`);
    const { session, subscription } = await openLink(link);
    await firstValueFrom(session.hello(HELLO));
    subscription.unsubscribe();
    await openLink(link);
    expect(front.resumed()).toBe(1);
  });

  it.each(['http', 'https'])('says why there is none: %s', async (scheme) => {
    const port = await closedPort();
    expect(await failureOf(eager(`${scheme}://127.0.0.1:${port}`))).toMatchObject({ kind: 'refused' });
  });
});
