/** A metered link over a scripted one, on virtual time: what it carries and answers is what the test says. */
import { defer, ignoreElements, Observable, of, type Subscription, tap, timer } from 'rxjs';
import {
  type Link,
  LinkError,
  type LinkEvent,
  type LinkSession,
  onlyWay,
} from '../../src/agent/uplink/link.ts';
import { createCalendar } from '../../src/agent/uplink/metering/calendar.ts';
import type { BudgetPhase } from '../../src/agent/uplink/metering/data-budget.ts';
import { createDataMeter, type DataMeter } from '../../src/agent/uplink/metering/data-meter.ts';
import { createMeteredLink } from '../../src/agent/uplink/metering/metered-link.ts';
import type { TrafficRecord } from '../../src/agent/uplink/metering/traffic-file.ts';
import { parseWindow } from '../../src/agent/uplink/metering/windows.ts';
import {
  type Heartbeat,
  type Hello,
  type HelloReply,
  heartbeatSchema,
  helloSchema,
} from '../../src/protocol/events.ts';
import { type VirtualClock, virtualClock } from '../hq/support/virtual-clock.ts';

const HEARTBEAT: Heartbeat = heartbeatSchema.parse({
  ts: 0,
  state: 'live',
  breaker: 'closed',
  sampled: 0,
  released: 0,
  pending: 0,
  pendingBytes: 0,
  dropped: {},
  lagMs: 0,
  rttMs: null,
});

const HELLO: Hello = helloSchema.parse({
  protocol: 1,
  schema: 1,
  agent: 'edge',
  epoch: '0'.repeat(12),
  instance: 'one',
  version: '1',
  sampled: 0,
  released: 0,
  ts: 0,
});
const HELLO_REPLY: HelloReply = {
  ok: true,
  protocol: 1,
  ack: { contiguous: 0, ranges: [] },
  limits: { maxFrameBytes: 262_144, maxFrameSamples: 4_096, maxSeries: 1_000 },
  credit: 8,
  hqTs: 0,
};

export type MeteringScript = {
  readonly maxBytesPerDay?: number;
  readonly maxBytesPerMonth?: number;
  readonly windows?: readonly string[];
  /** What connecting costs, bytes. */
  readonly connectBytes?: number;
  /** HQ cannot be reached. */
  readonly isDown?: () => boolean;
  /** What a try costs that opens nothing, bytes. */
  readonly failBytes?: number;
  /** Tries that open nothing before the one that opens, within each connect. */
  readonly detours?: number;
  /** Time that HQ takes for each answer, ms. */
  readonly answerMs?: number;
  readonly writeMs?: number;
  readonly diskFails?: () => boolean;
};

export function createMeteringRig(script: MeteringScript = {}) {
  const clock = virtualClock();
  const wire: Wire = { carried: 0, connections: 0 };
  const link = scriptedLink(script, clock, wire);
  const told: Told = { phases: [], failures: [], writes: [] };
  let ended: LinkError | null = null;
  let session: LinkSession | null = null;
  let line: Subscription | null = null;
  const begin = () => {
    const meter = startMeter(script, clock, told);
    return { meter, metered: createMeteredLink({ link, meter, clock }) };
  };
  let agent = begin();

  return {
    pass: clock.pass,
    /** Connects; what becomes of it is in `ended` and `session`. */
    connect: () => {
      ended = null;
      session = null;
      line?.unsubscribe();
      line = agent.metered.connect().subscribe({
        next: (event) => {
          if (event.type !== 'open') return;
          session = event.session;
          session.hello(HELLO).subscribe({ error: () => {} });
        },
        error: (error: LinkError) => {
          ended = error;
          session = null;
        },
      });
    },
    disconnect: () => {
      line?.unsubscribe();
      session = null;
    },
    /** Something beyond requests crosses the link. */
    carries: (bytes: number) => {
      wire.carried += bytes;
    },
    sends: (lane: 'live' | 'backlog', bytes: number) => {
      session?.frame({ lane }, new Uint8Array(bytes)).subscribe({ error: () => {} });
    },
    heartbeat: () => {
      session?.heartbeat(HEARTBEAT).subscribe({ error: () => {} });
    },
    /** A kill: nothing is written any more. */
    kill: () => {
      line?.unsubscribe();
      // A dead process has no timers.
      agent.meter.close();
      agent = begin();
    },
    stop: () => {
      line?.unsubscribe();
      agent.meter.close().subscribe();
      clock.pass(100);
      agent = begin();
    },
    get meter() {
      return agent.meter;
    },
    get day() {
      return agent.meter.gate.status().day;
    },
    get carried() {
      return wire.carried;
    },
    get connections() {
      return wire.connections;
    },
    get isOpen() {
      return session !== null;
    },
    get ended(): LinkError | null {
      return ended;
    },
    ...told,
  };
}

/** What has crossed the link. */
type Wire = { carried: number; connections: number };
type Told = { readonly phases: BudgetPhase[]; readonly failures: string[]; readonly writes: TrafficRecord[] };

function scriptedLink(script: MeteringScript, clock: VirtualClock, wire: Wire): Link {
  return {
    connect: (wishes) =>
      new Observable<LinkEvent>((subscriber) => {
        const tryOnce = () => {
          const before = wire.carried;
          let end = Number.POSITIVE_INFINITY;
          wishes?.onTry?.(() => ({ sent: Math.min(end, wire.carried) - before, received: 0 }));
          return () => {
            end = wire.carried;
          };
        };
        for (let detour = 0; detour < (script.detours ?? 0); detour += 1) {
          const fail = tryOnce();
          wire.carried += script.failBytes ?? 0;
          fail();
        }
        tryOnce();
        if (script.isDown?.() === true) {
          wire.carried += script.failBytes ?? 0;
          subscriber.error(new LinkError('refused', 'nobody listens'));
          return;
        }
        wire.connections += 1;
        const session = scriptedSession(script, clock, wire);
        wire.carried += script.connectBytes ?? 1_000;
        subscriber.next({ type: 'open', session });
      }),
  };
}

function scriptedSession(script: MeteringScript, clock: VirtualClock, wire: Wire): LinkSession {
  const before = wire.carried;
  const ok = { ok: true as const };
  const ack = { contiguous: 0, ranges: [] };
  const answer = <T>(value: T, bytes: number): Observable<T> =>
    defer(() => {
      wire.carried += bytes;
      return timer(script.answerMs ?? 100, clock.scheduler).pipe(
        tap(() => {
          wire.carried += 50;
        }),
        ignoreElements(),
        (source) =>
          new Observable<T>((subscriber) =>
            source.subscribe({ complete: () => of(value).subscribe(subscriber) }),
          ),
      );
    });
  return {
    hello: () => answer(HELLO_REPLY, 300),
    schema: () => answer(ok, 100),
    frame: (_meta, bytes) => answer({ ...ok, ack, credit: 8 }, bytes.length),
    heartbeat: () => answer({ ...ok, hqTs: 0, ack }, 200),
    goodbye: () => answer(ok, 20),
    way: onlyWay('http://hq'),
    traffic: () => ({ sent: wire.carried - before, received: 0 }),
    unsent: () => 0,
  };
}

/** A meter that goes on from what was written last. */
function startMeter(script: MeteringScript, clock: VirtualClock, told: Told): DataMeter {
  const { maxBytesPerDay = 0, maxBytesPerMonth = 0, windows = [], writeMs = 5 } = script;
  return createDataMeter({
    settings: {
      maxBytesPerDay,
      maxBytesPerMonth,
      windows: windows.map(parseWindow),
      calendar: createCalendar('UTC'),
    },
    clock,
    uptime: clock.mono,
    record: told.writes.at(-1) ?? null,
    file: {
      write: (record) =>
        timer(writeMs, clock.scheduler).pipe(
          tap(() => {
            if (script.diskFails?.() === true) throw new Error('the disk is read-only');
            told.writes.push(record);
          }),
          ignoreElements(),
        ),
    },
    onPhase: (phase) => told.phases.push(phase),
    onWriteFailure: (reason) => told.failures.push(reason),
  });
}
