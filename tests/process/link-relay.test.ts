/** The slow link of other tests: what it computes on a clock that is told, and that it carries real connections. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { carriedBetween, type LinkRelayOptions, startLink } from '../support/link.ts';
import { HEADER_BYTES, MAX_PAYLOAD_BYTES } from '../support/link-line.ts';
import { createLinkModel, type FlowOptions, type Way } from '../support/link-model.ts';
import { until } from '../support/wait.ts';

const FULL = MAX_PAYLOAD_BYTES + HEADER_BYTES;
const line = { bytesPerSecond: 1000, delayMs: 300, queueMs: 1000 };

type Arrival = { readonly at: number; readonly what: string };

/** A link on a clock of its own, and what arrives at the ends of its flows. */
function virtualLink({ up = line, down = line } = {}) {
  const model = createLinkModel({ up, down }, 0);
  const arrivals: Arrival[] = [];
  let now = 0;
  const flow = (name: string, way: Way = 'up', options: Partial<FlowOptions> = {}) => {
    const taken: number[] = [];
    const added = model.addFlow({
      way,
      onArrival: (kind, { length }) => {
        arrivals.push({ at: now, what: kind === 'data' ? `${name} ${length}` : `${name} ${kind}` });
      },
      onTaken: () => taken.push(now),
      isTaking: () => true,
      ...options,
    });
    return { ...added, taken };
  };
  /** Goes from event to event, so that each arrival shows its exact time. */
  const runTo = (end: number) => {
    for (let next = model.next(); next <= end; next = model.next()) {
      now = next;
      model.advance(next);
    }
    now = end;
    model.advance(end);
  };
  return { model, arrivals, flow, runTo };
}

describe('a slow link', () => {
  it('carries packets at its rate, headers counted, and delays each', () => {
    const { model, arrivals, flow, runTo } = virtualLink();
    flow('a').offer(Buffer.alloc(MAX_PAYLOAD_BYTES + 448), 0);
    runTo(10_000);
    expect(arrivals).toEqual([
      { at: FULL + 300, what: `a ${MAX_PAYLOAD_BYTES}` },
      { at: FULL + 500 + 300, what: 'a 448' },
    ]);
    expect(model.carried('up', 10_000)).toEqual({
      ...{ payloadBytes: MAX_PAYLOAD_BYTES + 448, wireBytes: FULL + 500, packets: 2 },
      ...{ busyMs: FULL + 500, upMs: 10_000, capacityBytes: 10_000 },
    });
  });

  it('answers every second packet of data on the other way, where it takes its turn', () => {
    const { model, arrivals, flow, runTo } = virtualLink();
    flow('a').offer(Buffer.alloc(5 * MAX_PAYLOAD_BYTES), 0);
    runTo(2 * FULL + 299);
    expect(model.carried('down', 2 * FULL + 299).wireBytes).toBe(0);
    // Behind the answer that is being sent.
    runTo(2 * FULL + 310);
    flow('b', 'down').offer(Buffer.alloc(48), 2 * FULL + 310);
    runTo(60_000);
    expect(arrivals).toContainEqual({ at: 2 * FULL + 300 + HEADER_BYTES + 100 + 300, what: 'b 48' });
    expect(model.carried('down', 60_000)).toMatchObject({
      ...{ payloadBytes: 48, packets: 3, wireBytes: 2 * HEADER_BYTES + 100 },
    });
  });

  it('is not slower when it is looked at late', () => {
    const { model, flow } = virtualLink();
    const sender = flow('a');
    sender.offer(Buffer.alloc(100 * MAX_PAYLOAD_BYTES), 0);
    model.advance(50 * FULL + 1);
    expect(model.carried('up', 50 * FULL + 1)).toMatchObject({ packets: 50, busyMs: 50 * FULL + 1 });
  });

  it('takes what its queue holds and leaves the rest with the sender', () => {
    const { model, flow, runTo } = virtualLink({ up: { ...line, queueMs: 4000 }, down: line });
    const sender = flow('a');
    sender.offer(Buffer.alloc(5 * MAX_PAYLOAD_BYTES), 0);
    expect(model.queuedBytes('up')).toBe(3 * FULL);
    expect(sender.waitingBytes()).toBe(2 * MAX_PAYLOAD_BYTES);
    expect(sender.taken).toEqual([]);
    runTo(FULL);
    expect(sender.waitingBytes()).toBe(MAX_PAYLOAD_BYTES);
    runTo(20_000);
    expect(sender.taken).toEqual([2 * FULL]);
  });

  it('lets connections take turns', () => {
    const { arrivals, flow, runTo } = virtualLink();
    flow('a').offer(Buffer.alloc(4 * MAX_PAYLOAD_BYTES), 0);
    flow('b').offer(Buffer.alloc(2 * MAX_PAYLOAD_BYTES), 0);
    runTo(60_000);
    expect(arrivals.map(({ what }) => what[0])).toEqual(['a', 'a', 'b', 'a', 'b', 'a']);
  });

  it('carries nothing in an outage, and loses nothing', () => {
    const { model, arrivals, flow, runTo } = virtualLink();
    flow('a').offer(Buffer.alloc(MAX_PAYLOAD_BYTES), 0);
    runTo(1000);
    model.change({ isUp: false }, 1000);
    flow('b').offer(Buffer.alloc(448), 1000);
    runTo(61_000);
    expect(arrivals).toEqual([]);
    model.change({ isUp: true }, 61_000);
    runTo(70_000);
    expect(arrivals).toEqual([
      { at: 60_000 + FULL + 300, what: `a ${MAX_PAYLOAD_BYTES}` },
      { at: 60_000 + FULL + 500 + 300, what: 'b 448' },
    ]);
    expect(model.carried('up', 70_000)).toMatchObject({ upMs: 10_000, capacityBytes: 10_000 });
  });

  it('follows a change of its rate in the middle of a packet', () => {
    const { model, arrivals, flow, runTo } = virtualLink();
    flow('a').offer(Buffer.alloc(948), 0);
    runTo(500);
    model.change({ up: { bytesPerSecond: 4000, delayMs: 100 } }, 500);
    runTo(2000);
    expect(arrivals).toEqual([{ at: 500 + 125 + 100, what: 'a 948' }]);
    expect(model.carried('up', 2000)).toMatchObject({ busyMs: 625, capacityBytes: 500 + 6000 });
  });

  it('keeps the order of packets when the delay becomes shorter', () => {
    const { model, arrivals, flow, runTo } = virtualLink();
    flow('a').offer(Buffer.alloc(48), 0);
    runTo(100);
    model.change({ up: { delayMs: 0 } }, 100);
    flow('a').offer(Buffer.alloc(48), 100);
    runTo(2000);
    expect(arrivals.map(({ at }) => at)).toEqual([400, 400]);
  });

  it('has each direction at its own rate', () => {
    const { arrivals, flow, runTo } = virtualLink({ up: line, down: { ...line, bytesPerSecond: 10_000 } });
    flow('a', 'up').offer(Buffer.alloc(948), 0);
    flow('b', 'down').offer(Buffer.alloc(948), 0);
    runTo(5000);
    expect(arrivals).toEqual([
      { at: 400, what: 'b 948' },
      { at: 1300, what: 'a 948' },
    ]);
  });

  it('sends the end behind the data, and a reset past what is not in the modem', () => {
    const { arrivals, flow, runTo } = virtualLink();
    const ended = flow('a');
    ended.offer(Buffer.alloc(2 * MAX_PAYLOAD_BYTES), 0);
    ended.end(0);
    const reset = flow('b');
    reset.offer(Buffer.alloc(MAX_PAYLOAD_BYTES), 0);
    reset.reset(1);
    runTo(60_000);
    const full = `a ${MAX_PAYLOAD_BYTES}`;
    expect(arrivals.map(({ what }) => what)).toEqual([full, 'b reset', full, 'a end']);
  });

  it('asks no more of a sender whose receiver takes nothing', () => {
    let isTaking = false;
    const { model, arrivals, flow, runTo } = virtualLink();
    flow('a', 'up', { isTaking: () => isTaking }).offer(Buffer.alloc(448), 0);
    runTo(5000);
    expect(arrivals).toEqual([]);
    isTaking = true;
    model.advance(5000);
    runTo(10_000);
    expect(arrivals).toEqual([{ at: 5800, what: 'a 448' }]);
  });
});

/** A server that keeps what it receives and sends it back, behind a link. */
async function echoBehindLink(options: Partial<LinkRelayOptions> = {}) {
  const received: Buffer[] = [];
  const sockets: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      received.push(bytes);
      socket.write(bytes);
    });
    socket.on('end', () => socket.end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const fast = { bytesPerSecond: 2_000_000, delayMs: 10, queueMs: 50 };
  const link = await startLink({ up: fast, down: fast, target: () => port, ...options });
  onTestFinished(() => {
    link.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const open = () => {
    const socket = connect(link.port, '127.0.0.1');
    const echoed: Buffer[] = [];
    socket.on('data', (bytes) => echoed.push(bytes));
    socket.on('error', () => {});
    onTestFinished(() => void socket.destroy());
    return { socket, echoed: () => Buffer.concat(echoed) };
  };
  return { link, open, received: () => Buffer.concat(received), sockets };
}

describe('a relay that is a slow link', () => {
  it('carries connections whole both ways, ends included, no faster than its rate', async () => {
    const { link, open } = await echoBehindLink();
    const before = link.state();
    const data = Array.from({ length: 3 }, (_, fill) => Buffer.alloc(100_000, fill + 1));
    const clients = data.map((bytes) => {
      const client = open();
      client.socket.end(bytes);
      return client;
    });
    await Promise.all(clients.map(({ socket }) => once(socket, 'close')));
    expect(clients.map(({ echoed }, index) => echoed().equals(data[index] ?? Buffer.alloc(0)))).toEqual([
      true,
      true,
      true,
    ]);
    const after = link.state();
    const up = carriedBetween(before.up, after.up);
    expect(up.payloadBytes).toBe(300_000);
    expect(up.wireBytes).toBe(300_000 + up.packets * HEADER_BYTES);
    expect(after.at - before.at).toBeGreaterThanOrEqual((up.wireBytes / 2_000_000) * 1000 + 20);
    expect(after.opened).toHaveLength(3);
    expect(after.closed.map(({ by }) => by)).toEqual(['agent', 'agent', 'agent']);
  });

  it('opens nothing at the far end in an outage, keeps what is sent, and delivers it afterwards', async () => {
    const { link, open, received, sockets } = await echoBehindLink();
    link.interrupt();
    const client = open();
    client.socket.write('sent in the outage');
    await until('the relay to have read it', () => link.state().queuedBytes > HEADER_BYTES);
    expect(sockets).toHaveLength(0);
    link.restore();
    await until('it to arrive', () => received().toString() === 'sent in the outage');
    expect(link.state().closed).toEqual([]);
  });

  it('makes a sender wait while its queue is full', async () => {
    const { link, open } = await echoBehindLink();
    link.interrupt();
    const { socket } = open();
    // The kernel takes some megabytes; what is beyond stays with the sender.
    const chunk = Buffer.alloc(1_000_000);
    for (let sent = 0; sent < 40; sent += 1) socket.write(chunk);
    await until('the relay to have read what it takes', () => link.state().waitingBytes > 0);
    await until('the sender to be held', () => socket.writableNeedDrain);
    const { queuedBytes, waitingBytes } = link.state();
    expect(queuedBytes).toBeLessThanOrEqual(100_000 + 2 * FULL);
    expect(waitingBytes).toBeLessThanOrEqual(65_536);
    expect(socket.writableLength).toBeGreaterThan(20_000_000);
  });

  it('resets all connections in a cut, and carries new ones', async () => {
    const { link, open, received } = await echoBehindLink();
    const first = open();
    first.socket.write('first');
    await until('the first to arrive', () => received().length === 5);
    const closed = until('the first to be reset', () => first.socket.destroyed);
    link.cut();
    await closed;
    expect(link.state().closed.map(({ by }) => by)).toEqual(['cut']);
    open().socket.write('second');
    await until('the second to arrive', () => received().toString() === 'firstsecond');
  });

  it('holds data back for a handshake where that is asked for', async () => {
    const slow = { bytesPerSecond: 2_000_000, delayMs: 100, queueMs: 50 };
    const { link, open, received } = await echoBehindLink({ up: slow, down: slow, handshake: true });
    open().socket.write('hello');
    await until('it to arrive', () => received().length === 5, { everyMs: 1 });
    const { at, opened } = link.state();
    expect(at - (opened[0] ?? at)).toBeGreaterThanOrEqual(300);
  });

  it('tells the client when nothing listens behind it', async () => {
    const link = await startLink({ up: line, down: line, target: () => 1 });
    onTestFinished(() => link.close());
    const socket = connect(link.port, '127.0.0.1');
    const [error] = await once(socket, 'error');
    expect(error).toMatchObject({ code: 'ECONNRESET' });
    expect(link.state().closed.map(({ by }) => by)).toEqual(['hq']);
  });
});
