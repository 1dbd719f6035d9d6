import { type AddressInfo, connect as connectTcp, createServer, Socket } from 'node:net';
import { VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { openFreshTcp } from './fresh-tcp.ts';

const AGAIN_MS = 2_000;

/** Connections that are not established by themselves. */
function start() {
  const scheduler = new VirtualTimeScheduler();
  const begun: { readonly tcp: Socket; readonly at: number }[] = [];
  const told: Socket[] = [];
  const results: (Error | Socket | undefined)[] = [];
  const open = () => {
    const tcp = new Socket();
    onTestFinished(() => void tcp.destroy());
    begun.push({ tcp, at: scheduler.frame });
    return tcp;
  };
  openFreshTcp({ open, onTcp: (tcp) => told.push(tcp), againMs: AGAIN_MS, scheduler }, (error, tcp) =>
    results.push(error ?? tcp),
  );
  return {
    begun,
    told,
    results,
    /** The request goes out; before it, a name is resolved. */
    ask: () => begun.at(-1)?.tcp.emit('connectionAttempt', '192.0.2.1', 443, 4),
    pass: (ms: number) => {
      scheduler.maxFrames = scheduler.frame + ms;
      const until = scheduler.maxFrames;
      scheduler.flush();
      scheduler.frame = until;
    },
  };
}

describe('a connection over a way that may be back any moment', () => {
  it('is begun again while no request is answered, and each is told of', () => {
    const { begun, told, results, ask, pass } = start();
    for (let count = 0; count < 3; count += 1) {
      ask();
      pass(AGAIN_MS);
    }
    expect(begun.map(({ at }) => at)).toEqual([0, 2_000, 4_000, 6_000]);
    expect(told).toEqual(begun.map(({ tcp }) => tcp));
    expect(results).toEqual([]);
  });

  it('waits for the answer to the name: it is asked for once', () => {
    const { begun, pass } = start();
    pass(60_000);
    expect(begun).toHaveLength(1);
  });

  it.each([0, 1, 2])('is the first that is established: number %d', (winner) => {
    const { begun, results, ask, pass } = start();
    for (let count = 0; count < 2; count += 1) {
      ask();
      pass(AGAIN_MS);
    }
    begun[winner]?.tcp.emit('connect');
    expect(results).toEqual([begun[winner]?.tcp]);
    expect(begun.map(({ tcp }) => tcp.destroyed)).toEqual([0, 1, 2].map((index) => index !== winner));
    ask();
    pass(60_000);
    expect(begun).toHaveLength(3);
    // What ends it later is no business of the attempt.
    expect(begun[winner]?.tcp.listenerCount('error')).toBe(0);
  });

  it('fails as the first of them fails', async () => {
    const { begun, results, ask, pass } = start();
    ask();
    pass(AGAIN_MS);
    begun[0]?.tcp.destroy(new Error('ECONNREFUSED'));
    await eventually(() => expect(results).toHaveLength(1));
    expect(results[0]).toMatchObject({ message: 'ECONNREFUSED' });
    expect(begun.map(({ tcp }) => tcp.destroyed)).toEqual([true, true]);
    pass(60_000);
    expect(begun).toHaveLength(2);
  });

  it('ends when the one that was told of them destroys them', async () => {
    const { begun, told, results, ask, pass } = start();
    ask();
    pass(AGAIN_MS);
    for (const tcp of told) tcp.destroy();
    await eventually(() => expect(results).toHaveLength(1));
    expect(results[0]).toBeInstanceOf(Error);
    pass(60_000);
    expect(begun).toHaveLength(2);
  });

  it('carries what is written once it is there', async () => {
    const server = createServer((socket) => void socket.pipe(socket));
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const scheduler = new VirtualTimeScheduler();
    const tcp = await new Promise<Socket>((resolve, reject) =>
      openFreshTcp(
        {
          open: () => connectTcp({ port, host: 'localhost' }),
          onTcp: () => {},
          againMs: AGAIN_MS,
          scheduler,
        },
        (error, taken) => (taken === undefined ? reject(error) : resolve(taken)),
      ),
    );
    onTestFinished(() => void tcp.destroy());
    const heard = new Promise<string>((resolve) => tcp.once('data', (bytes) => resolve(String(bytes))));
    tcp.write('hello');
    expect(await heard).toBe('hello');
  });
});
