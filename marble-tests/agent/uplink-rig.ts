/** An uplink with a real journal in memory and a scripted HQ, all on virtual time. */
import { delay, map, merge, NEVER, type Observable, Subject, timer, VirtualTimeScheduler } from 'rxjs';
import { agentConfigSchema } from '../../src/agent/config.ts';
import type { agentEvents } from '../../src/agent/events.ts';
import {
  type Link,
  LinkError,
  type LinkEvent,
  type LinkSession,
  onlyWay,
} from '../../src/agent/uplink/link.ts';
import { OPEN_GATE, type UplinkGate } from '../../src/agent/uplink/metering/gate.ts';
import { createUplink } from '../../src/agent/uplink/uplink.ts';
import { openJournal } from '../../src/journal/journal.ts';
import type { Journal } from '../../src/journal/port.ts';
import type { Clock } from '../../src/platform/clock.ts';
import { seededIds } from '../../src/platform/ids.ts';
import { type Random, seededRandom } from '../../src/platform/random.ts';
import type { EventOf } from '../../src/platform/telemetry.ts';
import {
  type Coverage,
  cover,
  coverageSchema,
  coveredCount,
  EMPTY_COVERAGE,
} from '../../src/protocol/coverage.ts';
import type {
  FrameReply,
  Heartbeat,
  HeartbeatReply,
  HelloReply,
  Lane,
  LinkReport,
  WireErrorCode,
} from '../../src/protocol/events.ts';
import { readHeader } from '../../src/protocol/frame-codec.ts';
import type { Sample } from '../../src/protocol/sample.ts';
import { internSchema } from '../../src/protocol/schema-ref.ts';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.ts';

export const RTT_MS = 10;

export type SentFrame = {
  readonly at: number;
  readonly connection: number;
  readonly lane: Lane;
  readonly first: number;
  readonly last: number;
  readonly kind: string;
  readonly bytes: number;
};

/** What HQ does instead of the honest thing; undefined: the honest thing. `close`: the connection breaks. */
export type Script = {
  connect?: (connection: number) => LinkError | 'silence' | undefined;
  hello?: (connection: number) => HelloReply | 'silence' | undefined;
  /** How long the request to join took, ms. Default: a round trip. */
  joinedMs?: number;
  /** How long HQ takes for the answer to hello, ms, and what it says that it took. */
  heldMs?: { readonly took: number; readonly told?: number };
  frame?: (frame: SentFrame) => FrameReply | 'silence' | 'close' | undefined;
  heartbeat?: (heartbeat: Heartbeat) => HeartbeatReply | 'silence' | undefined;
  credit?: number;
  maxFrameBytes?: number;
  maxFrameSamples?: number;
  needsSchemas?: boolean;
  gate?: UplinkGate;
  linkReport?: LinkReport;
  /** Puts a meter before the link. */
  metered?: (link: Link, clock: Clock) => { readonly link: Link; readonly gate: UplinkGate };
};

/** What HQ answers when it does not take something. */
export const refusal = (code: WireErrorCode, retryAfterMs?: number) => ({
  ok: false as const,
  error: { code, message: `no: ${code}`, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
});

const schema = internSchema({
  source: 'test',
  boot: 'boot',
  series: [{ name: 'value', attributes: {}, unit: '1' }],
});

export type Rig = ReturnType<typeof createRig>;

export function createRig(script: Script = {}, settings: Record<string, unknown> = {}) {
  const scheduler = new VirtualTimeScheduler();
  const random = seededRandom(7);
  const clock: Clock = {
    now: () => 1_700_000_000_000 + scheduler.frame,
    mono: () => scheduler.frame,
    precise: () => scheduler.frame,
    bootId: 'boot',
    scheduler,
  };
  const events: (EventOf<typeof agentEvents> & { readonly at: number })[] = [];
  const hq = createScriptedHq(script, clock, scheduler);
  const storage = createMemoryStorage({ scheduler });
  const ids = seededIds(random);
  const journal = now<Journal>(
    openJournal({ storage, clock, ids, policy: 'drop-oldest', maxBytes: 2 ** 26 }),
  );
  const before = script.metered?.(hq.link, clock) ?? { link: hq.link, gate: script.gate ?? OPEN_GATE };
  let uplink: ReturnType<typeof createUplink> | null = null;

  return {
    scheduler,
    journal,
    script,
    events,
    ...hq.seen,
    append: (count: number, anomalous = false) => {
      const samples = Array.from({ length: count }, () => testSample(clock, random, anomalous));
      journal.append(samples).subscribe(({ frame }) => uplink?.committed(frame));
    },
    hq: {
      coverage: () => hq.state.coverage,
      stored: () => hq.state.stored,
      lose: (to: Coverage) => (hq.state.coverage = to),
    },
    start: () => {
      uplink = createUplink({
        identity: { agent: 'a', instance: 'i', version: '0' },
        settings: agentConfigSchema.parse({ uplink: settings }).uplink,
        link: before.link,
        journal,
        clock,
        random,
        emit: (event) => events.push({ ...event, at: scheduler.frame }),
        agentState: () => 'live',
        gate: before.gate,
        linkReport: () => script.linkReport ?? null,
      });
      return uplink;
    },
    status: () => uplink?.status(),
    stop: () => {
      let done = false;
      uplink?.stop(10_000).subscribe({ complete: () => (done = true) });
      return () => done;
    },
    cut: () => hq.state.close?.(new LinkError('closed', 'cut')),
    credit: (frames: number) => hq.down$.next({ type: 'credit', frames }),
    ignored: (name: string) => hq.down$.next({ type: 'ignored', name }),
    /** Lets `ms` pass. */
    run: (ms: number) => {
      const until = scheduler.frame + ms;
      scheduler.maxFrames = until;
      scheduler.flush();
      scheduler.frame = until;
    },
    logs: (type: string) => events.filter((event) => event.type === type),
  };
}

function testSample(clock: Clock, random: Random, anomalous: boolean): Sample {
  const anomaly = {
    series: 0,
    state: 'open' as const,
    startTs: clock.now(),
    peakTs: clock.now(),
    peakValue: 9,
    peakZ: 9,
    mean: 0,
    stddev: 1,
    endTs: null,
  };
  return {
    schema,
    ts: clock.now(),
    mono: clock.mono(),
    values: [random.next() * 1e6],
    anomalies: anomalous ? [anomaly] : [],
    diagnostics: [],
  };
}

type ScriptedHq = {
  readonly script: Script;
  readonly clock: Clock;
  readonly scheduler: VirtualTimeScheduler;
  /** What has come, in order. */
  readonly seen: {
    readonly sent: SentFrame[];
    readonly connects: number[];
    readonly heartbeats: Heartbeat[];
    readonly goodbyes: string[];
    readonly schemas: string[];
  };
  readonly state: {
    close: ((error: LinkError) => void) | null;
    coverage: Coverage;
    stored: number;
  };
  /** What HQ sends of its own accord. */
  readonly down$: Subject<LinkEvent>;
};

function createScriptedHq(script: Script, clock: Clock, scheduler: VirtualTimeScheduler) {
  const hq: ScriptedHq = {
    script,
    clock,
    scheduler,
    seen: { sent: [], connects: [], heartbeats: [], goodbyes: [], schemas: [] },
    state: { close: null, coverage: EMPTY_COVERAGE, stored: 0 },
    down$: new Subject<LinkEvent>(),
  };
  const link: Link = { connect: ({ connectSilenceMs = 10_000 } = {}) => connect(hq, connectSilenceMs) };
  return { ...hq, link };
}

function connect(hq: ScriptedHq, connectSilenceMs: number): Observable<LinkEvent> {
  const { script, scheduler, seen, state } = hq;
  seen.connects.push(scheduler.frame);
  const connection = seen.connects.length;
  const given = script.connect?.(connection);
  const ended$ = new Subject<LinkEvent>();
  state.close = (error) => ended$.error(error);
  const opening =
    given === 'silence'
      ? timer(connectSilenceMs, scheduler).pipe(
          map((): LinkEvent => {
            throw new LinkError('timeout', `Nothing came for ${connectSilenceMs} ms.`);
          }),
        )
      : timer(RTT_MS, scheduler).pipe(
          map((): LinkEvent => {
            if (given !== undefined) throw given;
            return { type: 'open', session: createSession(hq, connection) };
          }),
        );
  return merge(opening, ended$, hq.down$);
}

function createSession(hq: ScriptedHq, connection: number): LinkSession {
  const { script, clock, seen } = hq;
  return {
    way: onlyWay('http://hq'),
    joined: { bytes: 80, ms: script.joinedMs ?? RTT_MS },
    hello: () =>
      answer<HelloReply>(hq, script.hello?.(connection), () => acceptHello(hq)).pipe(
        delay(script.heldMs?.took ?? 0, hq.scheduler),
      ),
    schema: ({ ref }) => {
      seen.schemas.push(ref);
      return answer(hq, undefined, () => ({ ok: true as const }));
    },
    frame: ({ lane }, bytes) => takeFrame(hq, connection, lane, bytes),
    heartbeat: (heartbeat) => {
      seen.heartbeats.push(heartbeat);
      return answer<HeartbeatReply>(hq, script.heartbeat?.(heartbeat), () => ({
        ok: true,
        hqTs: clock.now(),
        ack: ackOf(hq),
      }));
    },
    goodbye: ({ reason }) => {
      seen.goodbyes.push(reason);
      return answer(hq, undefined, () => ({ ok: true as const }));
    },
    traffic: () => ({
      sent: seen.sent.reduce((sum, one) => sum + (one.connection === connection ? one.bytes : 0), 0),
      received: 0,
    }),
    // The scripted link takes everything at once.
    unsent: () => 0,
  };
}

function answer<T>(hq: ScriptedHq, given: T | 'silence' | undefined, honest: () => T): Observable<T> {
  return given === 'silence' ? NEVER : timer(RTT_MS, hq.scheduler).pipe(map(() => given ?? honest()));
}

function ackOf(hq: ScriptedHq) {
  return coverageSchema.parse(hq.state.coverage);
}

function acceptHello(hq: ScriptedHq): HelloReply {
  const { script } = hq;
  return {
    ok: true,
    protocol: 1,
    ack: ackOf(hq),
    limits: {
      maxFrameBytes: script.maxFrameBytes ?? 262_144,
      maxFrameSamples: script.maxFrameSamples ?? 4096,
      maxSeries: 1000,
    },
    credit: script.credit ?? 8,
    hqTs: hq.clock.now(),
    ...(script.heldMs?.told !== undefined && { heldMs: script.heldMs.told }),
  };
}

function takeFrame(hq: ScriptedHq, connection: number, lane: Lane, sent: Uint8Array): Observable<FrameReply> {
  const { script, scheduler, seen, state } = hq;
  const { firstSeq: first, count, kind } = readHeader(sent);
  const last = first + count - 1;
  const frame = { at: scheduler.frame, connection, lane, first, last, kind, bytes: sent.length };
  seen.sent.push(frame);
  const given = script.frame?.(frame);
  if (given === 'close') {
    scheduler.schedule(() => state.close?.(new LinkError('closed', 'gone')), 1);
    return NEVER;
  }
  const lacksSchema = script.needsSchemas === true && kind !== 'gap' && seen.schemas.length === 0;
  return answer<FrameReply>(hq, given, (): FrameReply => {
    if (lacksSchema)
      return { ok: false, error: { code: 'unknown_schema', message: 'send it', refs: [schema.ref] } };
    const before = coveredCount(state.coverage);
    state.coverage = cover(state.coverage, first, last);
    state.stored += coveredCount(state.coverage) - before;
    return { ok: true, ack: ackOf(hq), credit: script.credit ?? 8 };
  });
}

/** What a source emits within its subscription. */
function now<T>(source: Observable<T>): T {
  const values: T[] = [];
  source.subscribe((value) => values.push(value));
  const [first] = values;
  if (first === undefined) throw new Error('it should have been there at once');
  return first;
}

/** Commits a sample every 200 ms. */
export const sampleFor = (rig: Rig, ms: number) => {
  for (let passed = 0; passed < ms; passed += 200) {
    rig.append(1);
    rig.run(200);
  }
};
