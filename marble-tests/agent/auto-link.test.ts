/** By WebSocket, or by long polling where none gets through, on virtual time. */
import { concat, NEVER, type Observable, of, throwError, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  type Link,
  LinkError,
  type LinkEvent,
  type LinkSession,
  onlyWay,
} from '../../src/agent/uplink/link.ts';
import {
  createAutoLink,
  MAX_FAILURES,
  MEANWHILE,
  PROVEN_FAILURES,
  UPGRADE_PROBE_MS,
} from '../../src/agent/uplink/transports/auto-link.ts';

const HOUR = UPGRADE_PROBE_MS;
type Refusal = 'upgrade_blocked' | 'refused' | 'closed' | 'timeout' | 'unauthorized';
const fails = (kind: Refusal, upgrade?: string) =>
  throwError(() => new LinkError(kind, `it is ${kind}`, upgrade === undefined ? {} : { upgrade }));

function rig() {
  const scheduler = new VirtualTimeScheduler();
  scheduler.maxFrames = 0;
  const now = { blocked: true, gone: false, swallowed: false, down: null as Refusal | null };
  const log: string[] = [];
  const noting = (text: string) => log.push(`${scheduler.now() / HOUR}h ${text}`);
  const none = () => NEVER;
  const session: LinkSession = {
    way: onlyWay('http://hq'),
    traffic: () => ({ sent: 100, received: 50 }),
    unsent: () => 0,
    ...{ hello: none, schema: none, frame: none, heartbeat: none, goodbye: none },
  };
  const link = (name: string, refusal: () => Observable<never> | null): Link => ({
    connect: () => {
      noting(name);
      return refusal() ?? concat(of<LinkEvent>({ type: 'open', session }), NEVER);
    },
  });
  const auto = createAutoLink({
    websocket: link('websocket', () =>
      now.gone
        ? fails('refused')
        : now.swallowed
          ? fails('timeout', 'no answer')
          : now.blocked
            ? fails('upgrade_blocked')
            : null,
    ),
    polling: link('polling', () => (now.down === null ? null : fails(now.down))),
    probe: () => {
      noting('probe');
      return of({ answers: !now.blocked && !now.swallowed, sent: 7, received: 3 });
    },
    clock: { scheduler },
  });
  const opens: Extract<LinkEvent, { type: 'open' }>[] = [];
  const connect = () =>
    auto.connect().subscribe({
      next: (event) => {
        if (event.type === 'blocked') noting(event.what);
        if (event.type !== 'open') return;
        opens.push(event);
        noting('open');
      },
      error: (error: LinkError) => noting(error.kind),
    });
  const pass = (hours: number) => {
    scheduler.maxFrames = scheduler.now() + hours * HOUR;
    scheduler.flush();
    scheduler.frame = scheduler.maxFrames;
  };
  return { now, log, opens, connect, pass };
}

it('goes by WebSocket where it can, and asks for nothing else', () => {
  const { now, log, connect, pass } = rig();
  now.blocked = false;
  connect();
  pass(5);
  expect(log).toEqual(['0h websocket', '0h open']);
});

it('goes by polling once the upgrade was seen blocked, says so once, and begins with polling for an hour', () => {
  const { log, connect, pass } = rig();
  const first = connect();
  pass(0.5);
  first.unsubscribe();
  const second = connect();
  pass(0.25);
  second.unsubscribe();
  expect(log).toEqual([
    '0h websocket',
    '0h polling',
    '0h open',
    `0h it is upgrade_blocked ${MEANWHILE}`,
    '0.5h polling',
    '0.5h open',
  ]);
  pass(0.25);
  connect();
  expect(log.slice(6)).toEqual([
    '1h websocket',
    '1h polling',
    '1h open',
    `1h it is upgrade_blocked ${MEANWHILE}`,
  ]);
});

it('tries an upgrade each hour alongside the connection, which moves when one gets through', () => {
  const { now, log, opens, connect, pass } = rig();
  connect();
  pass(2.5);
  expect(log.slice(4)).toEqual(['1h probe', '2h probe']);
  // Probes are bytes of the connection.
  expect(opens[0]?.session.traffic()).toEqual({ sent: 114, received: 56 });
  now.blocked = false;
  pass(1);
  expect(log.slice(6)).toEqual(['3h probe', '3h moved']);
  connect();
  expect(log.slice(8)).toEqual(['3.5h websocket', '3.5h open']);
});

it('a reconnection does not put the next probe off', () => {
  const { log, connect, pass } = rig();
  const first = connect();
  pass(0.75);
  first.unsubscribe();
  connect();
  pass(0.5);
  expect(log.at(-1)).toBe('1h probe');
});

it('tries a WebSocket first again where polling does not open either', () => {
  const { now, log, connect } = rig();
  now.down = 'refused';
  connect();
  connect();
  expect(log).toEqual([
    ...['0h websocket', '0h polling', '0h refused'],
    ...['0h websocket', '0h polling', '0h refused'],
  ]);
});

it('keeps to WebSockets where they fail otherwise', () => {
  const { now, log, connect } = rig();
  now.gone = true;
  connect();
  expect(log).toEqual(['0h websocket', '0h refused']);
});

describe('a failure at the upgrade that HQ may have caused', () => {
  const swallowing = () => {
    const its = rig();
    Object.assign(its.now, { blocked: false, swallowed: true });
    return its;
  };

  it('is followed by polling, and is a block once an upgrade fails alongside it', () => {
    const { log, connect, pass } = swallowing();
    const first = connect();
    pass(0);
    const block = `WebSockets are blocked on the way (no answer). ${MEANWHILE}`;
    expect(log).toEqual(['0h websocket', '0h polling', '0h open', '0h probe', `0h ${block}`]);
    pass(0.5);
    first.unsubscribe();
    connect();
    pass(0.6);
    // It is told once, and the next upgrade is tried after an hour.
    expect(log.slice(5)).toEqual(['0.5h polling', '0.5h open', '1h probe']);
  });

  it('is no block where HQ was away for a moment: the connection moves back at once', () => {
    const { now, log, connect, pass } = swallowing();
    const links = connect();
    now.swallowed = false;
    pass(0);
    links.unsubscribe();
    connect();
    expect(log).toEqual([
      ...['0h websocket', '0h polling', '0h open', '0h probe', '0h moved'],
      ...['0h websocket', '0h open'],
    ]);
  });

  it('makes fewer and fewer attempts by polling while nothing answers, and keeps its name', () => {
    const { now, log, connect } = swallowing();
    now.down = 'closed';
    for (let attempt = 0; attempt < 100; attempt += 1) connect();
    const polled = log.flatMap((line, index) => (line === '0h polling' ? [index] : []));
    // Each attempt writes two lines, those by polling three.
    const between = polled.slice(1).map((at, index) => (at - 1 - (polled[index] ?? 0)) / 2);
    expect(between.slice(0, 6)).toEqual([2, 4, 8, 16, MAX_FAILURES, MAX_FAILURES]);
    expect(log.filter((line) => line === '0h timeout')).toHaveLength(100);
  });

  it('needs several in a row on a way that has carried a WebSocket', () => {
    const { now, log, connect } = rig();
    now.blocked = false;
    connect().unsubscribe();
    now.swallowed = true;
    const more = PROVEN_FAILURES - 1;
    for (let attempt = 0; attempt < more; attempt += 1) connect();
    // The link is down: what was before counts no more.
    now.gone = true;
    connect();
    now.gone = false;
    for (let attempt = 0; attempt < more; attempt += 1) connect();
    expect(log).not.toContain('0h polling');
    connect();
    expect(log.slice(-2)).toEqual(['0h polling', '0h open']);
  });

  it('gives way to what HQ itself says by polling', () => {
    const { now, log, connect } = swallowing();
    now.down = 'unauthorized';
    connect();
    expect(log.at(-1)).toBe('0h unauthorized');
  });
});

it('silence of a way on which WebSockets are blocked does not bring them back before the hour', () => {
  const { now, log, connect, pass } = rig();
  const first = connect();
  pass(0.5);
  first.unsubscribe();
  now.down = 'timeout';
  for (let attempt = 0; attempt < 3; attempt += 1) connect();
  expect(log.slice(4)).toEqual(Array.from({ length: 3 }, () => ['0.5h polling', '0.5h timeout']).flat());
});
