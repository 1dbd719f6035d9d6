/** What ends a link over real sockets: silence, and nothing else. The link's own time is virtual. */
import { createServer } from 'node:net';
import { VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { startFakeHq } from '../testing/fake-hq.ts';
import { type HeldRelay, startHeldRelay } from '../testing/held-relay.ts';
import { type ConnectOptions, LinkError, type LinkEvent, type LinkSession } from './link.ts';
import { createSocketIoLink } from './socketio-link.ts';

const CONNECT_MS = 4_000;
/** Socket.IO's defaults, as the fake HQ announces them. */
const ANNOUNCED_MS = 45_000;

function watch(url: string, options: ConnectOptions = {}) {
  const scheduler = new VirtualTimeScheduler();
  const events: LinkEvent[] = [];
  const errors: LinkError[] = [];
  const link = createSocketIoLink({
    url,
    token: () => undefined,
    instance: 'me',
    connectTimeoutMs: CONNECT_MS,
    clock: { scheduler, precise: () => scheduler.now() },
  });
  const subscription = link.connect(options).subscribe({
    next: (event) => events.push(event),
    error: (error) => {
      if (error instanceof LinkError) errors.push(error);
      else throw error;
    },
  });
  onTestFinished(() => subscription.unsubscribe());
  return {
    events,
    errors,
    pass: (ms: number) => {
      const until = scheduler.frame + ms;
      scheduler.maxFrames = until;
      scheduler.flush();
      scheduler.frame = until;
    },
    session: () =>
      eventually((): LinkSession => {
        const [event] = events;
        if (event?.type !== 'open') throw new Error(`not open yet: ${String(errors[0])}`);
        return event.session;
      }),
  };
}

async function startHq(): Promise<HeldRelay & { readonly sendCredit: (padding: number) => void }> {
  const hq = await startFakeHq();
  onTestFinished(hq.close);
  const relay = await startHeldRelay(Number(new URL(hq.url).port));
  return {
    ...relay,
    sendCredit: (padding) =>
      void hq.io.of('/agents').emit('credit', { frames: 3, padding: 'x'.repeat(padding) }),
  };
}

describe('an open link', () => {
  it('lives while a message trickles in for longer than the announced silence, and ends without a byte', async () => {
    const hq = await startHq();
    const link = watch(hq.url);
    const session = await link.session();
    hq.allowDown(hq.down());
    hq.sendCredit(10_000);
    for (let bytes = 0; bytes < 10; bytes += 1) {
      link.pass(ANNOUNCED_MS - 1);
      const { received } = session.traffic();
      hq.allowDown(hq.down() + 1);
      await eventually(() => expect(session.traffic().received).toBe(received + 1));
    }
    expect(link.errors).toEqual([]);
    link.pass(ANNOUNCED_MS - 1);
    expect(link.errors).toEqual([]);
    link.pass(ANNOUNCED_MS / 4);
    expect(link.errors).toMatchObject([{ kind: 'closed' }]);
    expect(link.errors[0]?.message).toContain('has sent nothing for 45 s');
  });

  it('grants the silence that its owner asks for', async () => {
    const hq = await startHq();
    const link = watch(hq.url, { silenceMs: (announcedMs) => 3 * announcedMs });
    await link.session();
    hq.allowDown(hq.down());
    link.pass(3 * ANNOUNCED_MS - 1);
    expect(link.errors).toEqual([]);
    link.pass(ANNOUNCED_MS);
    expect(link.errors).toMatchObject([{ kind: 'closed' }]);
  });
});

describe('a link that connects', () => {
  it('may take longer than its limit while bytes come', async () => {
    const hq = await startHq();
    hq.allowDown(0);
    const link = watch(hq.url);
    // TCP is there at once, and its upgrade request is out; the answer comes byte by byte.
    await eventually(() => expect(hq.up()).toBeGreaterThan(100));
    for (let bytes = 0; bytes < 20; bytes += 1) {
      link.pass(CONNECT_MS / 2);
      const passed = hq.down();
      hq.allowDown(passed + 1);
      await eventually(() => expect(hq.down()).toBe(passed + 1));
      // The relay has written it; it is here a few turns later.
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(link.errors).toEqual([]);
    hq.allowDown(Number.POSITIVE_INFINITY);
    await link.session();
  });

  it.each([
    ['its own', {}, CONNECT_MS],
    ['a shorter one', { connectSilenceMs: 500 }, 500],
  ])('ends after a silence of its limit: %s', async (_what, options, limitMs) => {
    const failures: string[] = [];
    let heard = () => {};
    const asked = new Promise<void>((resolve) => {
      heard = resolve;
    });
    const server = createServer((socket) => {
      socket.on('error', (error: NodeJS.ErrnoException) => failures.push(String(error.code)));
      socket.once('data', heard);
      onTestFinished(() => void socket.destroy());
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const link = watch(`http://127.0.0.1:${address.port}`, options);
    await asked;
    link.pass(limitMs - 1);
    expect(link.errors).toEqual([]);
    link.pass(limitMs / 2);
    expect(link.errors).toMatchObject([{ kind: 'timeout' }]);
    // Reset, so that nothing of it is left in the kernel.
    await eventually(() => expect(failures).toEqual(['ECONNRESET']));
  });
});
