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
import { virtualClock } from '../hq/support/virtual-clock.ts';

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
  const {
    maxBytesPerDay = 0,
    maxBytesPerMonth = 0,
    connectBytes = 1_000,
    answerMs = 100,
    writeMs = 5,
  } = script;
  const clock = virtualClock();
  const phases: BudgetPhase[] = [];
  const failures: string[] = [];
  const writes: TrafficRecord[] = [];
  let kept: TrafficRecord | null = null;
  let carried = 0;
  let connections = 0;
  let ended: LinkError | null = null;
  let session: LinkSession | null = null;
  let line: Subscription | null = null;

  const answer = <T>(value: T, bytes: number): Observable<T> =>
    defer(() => {
      carried += bytes;
      return timer(answerMs, clock.scheduler).pipe(
        tap(() => {
          carried += 50;
        }),
        ignoreElements(),
        (source) =>
          new Observable<T>((subscriber) =>
            source.subscribe({ complete: () => of(value).subscribe(subscriber) }),
          ),
      );
    });
  const link: Link = {
    connect: (wishes) =>
      new Observable<LinkEvent>((subscriber) => {
        const tryOnce = () => {
          const before = carried;
          let end = Number.POSITIVE_INFINITY;
          wishes?.onTry?.(() => ({ sent: Math.min(end, carried) - before, received: 0 }));
          return () => {
            end = carried;
          };
        };
        for (let detour = 0; detour < (script.detours ?? 0); detour += 1) {
          const fail = tryOnce();
          carried += script.failBytes ?? 0;
          fail();
        }
        tryOnce();
        if (script.isDown?.() === true) {
          carried += script.failBytes ?? 0;
          subscriber.error(new LinkError('refused', 'nobody listens'));
          return;
        }
        connections += 1;
        const before = carried;
        carried += connectBytes;
        const ok = { ok: true as const };
        subscriber.next({
          type: 'open',
          session: {
            hello: () => answer(HELLO_REPLY, 300),
            schema: () => answer(ok, 100),
            frame: (_meta, bytes) =>
              answer({ ...ok, ack: { contiguous: 0, ranges: [] }, credit: 8 }, bytes.length),
            heartbeat: () => answer({ ...ok, hqTs: 0, ack: { contiguous: 0, ranges: [] } }, 200),
            goodbye: () => answer(ok, 20),
            way: onlyWay('http://hq'),
            traffic: () => ({ sent: carried - before, received: 0 }),
            unsent: () => 0,
          },
        });
      }),
  };

  const begin = (): DataMeter =>
    createDataMeter({
      settings: {
        maxBytesPerDay,
        maxBytesPerMonth,
        windows: (script.windows ?? []).map(parseWindow),
        calendar: createCalendar('UTC'),
      },
      clock,
      uptime: clock.mono,
      record: kept,
      file: {
        write: (record) =>
          timer(writeMs, clock.scheduler).pipe(
            tap(() => {
              if (script.diskFails?.() === true) throw new Error('the disk is read-only');
              kept = record;
              writes.push(record);
            }),
            ignoreElements(),
          ),
      },
      onPhase: (phase) => phases.push(phase),
      onWriteFailure: (reason) => failures.push(reason),
    });
  let meter = begin();
  let metered = createMeteredLink({ link, meter, clock });

  return {
    pass: clock.pass,
    /** Connects; what becomes of it is in `ended` and `session`. */
    connect: () => {
      ended = null;
      session = null;
      line?.unsubscribe();
      line = metered.connect().subscribe({
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
      carried += bytes;
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
      meter.close();
      meter = begin();
      metered = createMeteredLink({ link, meter, clock });
    },
    stop: () => {
      line?.unsubscribe();
      meter.close().subscribe();
      clock.pass(100);
      meter = begin();
      metered = createMeteredLink({ link, meter, clock });
    },
    get meter() {
      return meter;
    },
    get day() {
      return meter.gate.status().day;
    },
    get carried() {
      return carried;
    },
    get connections() {
      return connections;
    },
    get isOpen() {
      return session !== null;
    },
    get ended(): LinkError | null {
      return ended;
    },
    phases,
    failures,
    writes,
  };
}
