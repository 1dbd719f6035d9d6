/** What a link counts of its connection, against a relay that counts too. */
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { firstValueFrom } from 'rxjs';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createSystemClock } from '../../platform/clock.ts';
import { startFakeHq } from '../testing/fake-hq.ts';
import { startHeldRelay } from '../testing/held-relay.ts';
import { startTlsFront, TEST_CERT } from '../testing/tls-front.ts';
import type { Link, LinkEvent, LinkSession } from './link.ts';
import { createSocketIoLink } from './socketio-link.ts';

const hello = {
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

async function fakeHq() {
  const hq = await startFakeHq();
  onTestFinished(hq.close);
  return { hq, port: Number(new URL(hq.url).port) };
}

const linkTo = (url: string) =>
  createSocketIoLink({
    url,
    token: () => undefined,
    instance: 'me',
    connectTimeoutMs: 5_000,
    clock: createSystemClock(),
  });

async function opened(link: Link): Promise<{ session: LinkSession; events: LinkEvent[]; leave: () => void }> {
  const events: LinkEvent[] = [];
  const errors: unknown[] = [];
  const subscription = link.connect().subscribe({
    next: (event) => events.push(event),
    error: (error) => errors.push(error),
  });
  onTestFinished(() => subscription.unsubscribe());
  const session = await vi.waitFor(() => {
    const [event] = events;
    if (event?.type !== 'open') throw new Error(`not open yet: ${String(errors[0])}`);
    return event.session;
  });
  return { session, events, leave: () => subscription.unsubscribe() };
}

describe('bytes of a connection', () => {
  it('are those of the TCP payload, both ways, from the handshake on', async () => {
    const { port } = await fakeHq();
    const relay = await startHeldRelay(port);
    const { session } = await opened(linkTo(relay.url));
    await firstValueFrom(session.hello(hello));
    await vi.waitFor(() => {
      expect(session.unsent()).toBe(0);
      expect(session.traffic()).toEqual({ sent: relay.up(), received: relay.down() });
    });
    // An HTTP upgrade and a hello.
    expect(relay.up()).toBeGreaterThan(300);
    expect(relay.down()).toBeGreaterThan(300);
  });

  it('begin at nothing with each connection', async () => {
    const { port } = await fakeHq();
    const link = linkTo(`http://127.0.0.1:${port}`);
    const first = await opened(link);
    await firstValueFrom(first.session.hello(hello));
    const { sent } = first.session.traffic();
    first.leave();
    const second = await opened(link);
    expect(second.session.traffic().sent).toBeGreaterThan(0);
    expect(second.session.traffic().sent).toBeLessThan(sent);
  });

  it('count those of TLS, also of a record that is not here whole', async () => {
    const { hq, port } = await fakeHq();
    const front = await startTlsFront(port);
    const relay = await startHeldRelay(front.port);
    const trusted = getCACertificates();
    setDefaultCACertificates([...trusted, TEST_CERT]);
    onTestFinished(() => setDefaultCACertificates(trusted));
    const link = linkTo(`https://127.0.0.1:${relay.port}`);
    const { session, events, leave } = await opened(link);
    await firstValueFrom(session.hello(hello));
    await vi.waitFor(() => expect(session.traffic()).toEqual({ sent: relay.up(), received: relay.down() }));
    const before = relay.down();
    relay.allowDown(before + 100);
    hq.io.of('/agents').emit('credit', { frames: 3, padding: 'x'.repeat(8_000) });
    await vi.waitFor(() => expect(session.traffic().received).toBe(before + 100));
    expect(events).toHaveLength(1);
    relay.allowDown(Number.POSITIVE_INFINITY);
    await vi.waitFor(() => expect(events).toHaveLength(2));

    // The next connection resumes the session: it costs no certificate.
    expect(front.resumed()).toBe(0);
    leave();
    await opened(link);
    expect(front.resumed()).toBe(1);
  });

  it('are few where a session is resumed, also after a cut, and a whole handshake where HQ has forgotten it', async () => {
    const { port } = await fakeHq();
    const front = await startTlsFront(port);
    const trusted = getCACertificates();
    setDefaultCACertificates([...trusted, TEST_CERT]);
    onTestFinished(() => setDefaultCACertificates(trusted));
    const link = linkTo(`https://127.0.0.1:${front.port}`);
    const sent: number[] = [];
    const resumed: number[] = [];
    const connect = async () => {
      const { session, leave } = await opened(link);
      await firstValueFrom(session.hello(hello));
      sent.push(session.traffic().sent);
      resumed.push(front.resumed());
      front.cut();
      leave();
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
    const { port } = await fakeHq();
    const relay = await startHeldRelay(port);
    const { session } = await opened(linkTo(relay.url));
    await firstValueFrom(session.hello(hello));
    relay.allowUp(relay.up());
    // More than all buffers of two sockets hold.
    for (let frames = 0; frames < 32; frames += 1) {
      session.goodbye({ reason: 'x'.repeat(900_000) }).subscribe({ error: () => {} });
    }
    expect(session.unsent()).toBeGreaterThan(20_000_000);
    await vi.waitFor(() => expect(session.unsent()).toBeLessThan(session.traffic().sent));
    expect(session.unsent()).toBeGreaterThan(1_000_000);
    relay.allowUp(Number.POSITIVE_INFINITY);
    await vi.waitFor(() => expect(session.unsent()).toBe(0), { timeout: 20_000 });
  });
});
