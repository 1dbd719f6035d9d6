/** By WebSocket, or by long polling where none gets through, on virtual time. */
import { concat, NEVER, type Observable, of, throwError, VirtualTimeScheduler } from 'rxjs';
import { expect, it } from 'vitest';
import {
  type Link,
  LinkError,
  type LinkEvent,
  type LinkSession,
  onlyWay,
} from '../../src/agent/uplink/link.ts';
import { createAutoLink, UPGRADE_PROBE_MS } from '../../src/agent/uplink/transports/auto-link.ts';

const HOUR = UPGRADE_PROBE_MS;
const fails = (kind: 'upgrade_blocked' | 'refused') => throwError(() => new LinkError(kind, `it is ${kind}`));

function rig() {
  const scheduler = new VirtualTimeScheduler();
  scheduler.maxFrames = 0;
  const now: { blocked: boolean; gone: boolean; down: boolean } = { blocked: true, gone: false, down: false };
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
      now.gone ? fails('refused') : now.blocked ? fails('upgrade_blocked') : null,
    ),
    polling: link('polling', () => (now.down ? fails('refused') : null)),
    probe: () => {
      noting('probe');
      return of({ answers: !now.blocked, sent: 7, received: 3 });
    },
    clock: { scheduler },
  });
  const opens: Extract<LinkEvent, { type: 'open' }>[] = [];
  const connect = () =>
    auto.connect().subscribe({
      next: (event) => {
        if (event.type !== 'open') return;
        opens.push(event);
        noting(event.blocked === undefined ? 'open' : `open: ${event.blocked}`);
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
    '0h open: it is upgrade_blocked',
    '0.5h polling',
    '0.5h open',
  ]);
  pass(0.25);
  connect();
  expect(log.slice(5)).toEqual(['1h websocket', '1h polling', '1h open: it is upgrade_blocked']);
});

it('tries an upgrade each hour beside the connection, which moves when one gets through', () => {
  const { now, log, opens, connect, pass } = rig();
  connect();
  pass(2.5);
  expect(log.slice(3)).toEqual(['1h probe', '2h probe']);
  // Probes are bytes of the connection.
  expect(opens[0]?.session.traffic()).toEqual({ sent: 114, received: 56 });
  now.blocked = false;
  pass(1);
  expect(log.slice(5)).toEqual(['3h probe', '3h moved']);
  connect();
  expect(log.slice(7)).toEqual(['3.5h websocket', '3.5h open']);
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
  now.down = true;
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
