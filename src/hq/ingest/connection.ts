/** One connection of `/agents`: its state, and what it is told for each message. */
import {
  catchError,
  concatMap,
  defer,
  EMPTY,
  finalize,
  map,
  type Observable,
  of,
  race,
  switchMap,
  tap,
  timer,
} from 'rxjs';
import { coveredCount } from '../../protocol/coverage.ts';
import type {
  CoverageReply,
  CoverageRequest,
  FrameMeta,
  FrameReply,
  Goodbye,
  Heartbeat,
  HeartbeatReply,
  Hello,
  HelloReply,
  OkReply,
  SchemaMessage,
} from '../../protocol/events.ts';
import { PROTOCOLS, SCHEMA_VERSION } from '../../protocol/events.ts';
import { FrameError, type FrameHeader, type GapReason } from '../../protocol/frame.ts';
import { decodeGap, type FrameOutline, outlineOf, verifyFrame } from '../../protocol/frame-codec.ts';
import type { Epoch, SchemaRef } from '../../protocol/sample.ts';
import { internSchema } from '../../protocol/schema-ref.ts';
import { ackCoverage, coveragePage } from './ack-coverage.ts';
import type { AgentPeer } from './agent-server.ts';
import { agreed, heldFields, protocolFor } from './agreed.ts';
import { creditFields, creditMessage } from './credit-fields.ts';
import { NOT_COUNTED } from './drain-turns.ts';
import { whyForked } from './fork-reason.ts';
import { QueueFullError } from './group-commit.ts';
import type { IngestShared } from './ingest-shared.ts';
import { greetedRun, judgeRun, type Known } from './judge-run.ts';
import type { Holder } from './leases.ts';
import { addsRangeTooMany, MAX_RANGES } from './range-bound.ts';
import { createHintTeller, reconnectHintMs } from './reconnect-hint.ts';
import { isRefused, type Refused, refuse, refuseOther, refuseUnavailable } from './refusal.ts';

/** How long the holder of a lease has to answer a probe. */
const PROBE_MS = 2_000;
const DUPLICATE_RETRY_MS = 5_000;
const UNAVAILABLE_RETRY_MS = 1_000;

export type Lease = { readonly agent: string; readonly epoch: Epoch; readonly since: number };

export type Connection = Holder & {
  readonly lease: () => Lease | null;
  readonly hello: (hello: Hello) => Observable<HelloReply>;
  readonly coverage: (request: CoverageRequest) => Observable<CoverageReply>;
  readonly schema: (message: SchemaMessage) => Observable<OkReply>;
  readonly frame: (meta: FrameMeta, bytes: Uint8Array) => Observable<FrameReply>;
  readonly heartbeat: (heartbeat: Heartbeat) => Observable<HeartbeatReply>;
  readonly goodbye: (goodbye: Goodbye) => Observable<OkReply>;
  /** The transport is gone. */
  readonly gone: (reason: string) => void;
};

/** What a connection needs of the wire beneath it. */
export type Transport = Pick<
  AgentPeer,
  'address' | 'probe' | 'sendConflict' | 'sendCredit' | 'disconnect'
> & {
  /** The agent sends faster than it may: nothing more is read of it for a while. */
  readonly holdBack: (ms: number) => void;
};

const NO_CONTENT: FrameOutline = { refs: [], rows: 0 };
const HELLO_FIRST = refuse('hello_required', 'say hello first: HQ does not know yet who this is');

const downOnPurpose = () => refuseUnavailable('HQ is down on purpose (chaos)', UNAVAILABLE_RETRY_MS);

export function createConnection(shared: IngestShared, transport: Transport): Connection {
  const { store, clock, chaos, emit, limits } = shared;
  let instance = '';
  let lease: Lease | null = null;
  /** Agent whose lease this connection has been given, greeted or not yet. */
  let claimed: string | null = null;
  /** Schemas that were refused for their number of series: their frames can never be taken. */
  const refusedSchemas = new Set<SchemaRef>();
  let probing: Observable<boolean> | null = null;
  const hint = createHintTeller(() => reconnectHintMs(shared.agentCount(), limits.reconnectsPerSecond));

  const behindChaos = <R>(work: () => Observable<R>): Observable<R | Refused> =>
    chaos.admit().pipe(
      concatMap((verdict): Observable<R | Refused> => {
        if (verdict === 'lose') return EMPTY;
        if (verdict === 'refuse') return of(downOnPurpose());
        return work();
      }),
    );
  /** A frame's failure is told once for its whole group, by the commit. */
  const storageFailed = <T>(event: 'hello' | 'schema' | 'frame') =>
    catchError<T, Observable<Refused>>((error: unknown) => {
      if (error instanceof FrameError) return of(refuse('bad_frame', error.message));
      if (event !== 'frame') {
        emit({ type: 'handler_failed', event, agent: claimed, error: String(error) });
      }
      if (!(error instanceof QueueFullError))
        return of(refuseUnavailable('HQ could not store this just now', UNAVAILABLE_RETRY_MS));
      // Where others can still be served it is no failure of HQ, and no reason for a breaker to open.
      return of(
        error.bound === 'hq'
          ? refuseUnavailable(error.message, UNAVAILABLE_RETRY_MS)
          : refuse('rate_limited', error.message, { retryAfterMs: UNAVAILABLE_RETRY_MS }),
      );
    });

  function checkHello(hello: Hello): Refused | null {
    if (protocolFor(hello) === undefined || hello.schema !== SCHEMA_VERSION) {
      return refuse(
        'unsupported_version',
        `HQ speaks protocol ${PROTOCOLS.join(' and ')} with schema ${SCHEMA_VERSION}, this agent protocol ${hello.protocol} with schema ${hello.schema}: update the older one`,
        { supported: { protocol: [...PROTOCOLS], schema: [SCHEMA_VERSION] } },
      );
    }
    if (hello.released > hello.sampled) return refuse('bad_request', 'hello: released is beyond sampled');
    if (lease !== null && lease.agent !== hello.agent) {
      return refuse(
        'bad_request',
        `this connection belongs to ${lease.agent}; open another for ${hello.agent}`,
      );
    }
    if (store.ownsEpoch(hello.agent, hello.epoch)) {
      return refuse(
        'bad_request',
        `epoch ${hello.epoch} belongs to samples that came by HTTP; start a new journal`,
      );
    }
    if (!shared.knowsAgent(hello.agent) && shared.agentCount() >= limits.maxAgents) {
      return refuseUnavailable(`HQ knows ${limits.maxAgents} agents already and takes no more`, 60_000);
    }
    return refuseOther(hello, shared.identity);
  }

  const connection: Connection = {
    get instance() {
      return instance;
    },
    lease: () => lease,
    conflict: transport.sendConflict,
    probe: () => {
      // Several claimants at once cost one probe.
      probing ??= race(
        transport.probe().pipe(
          map(() => true),
          catchError(() => of(false)),
        ),
        timer(PROBE_MS, clock.scheduler).pipe(map(() => false)),
      ).pipe(
        finalize(() => {
          probing = null;
        }),
        shared.once(),
      );
      return probing;
    },
    end: (reason) => {
      emit({ type: 'cut_off', agent: lease?.agent ?? null, address: transport.address, reason });
      if (lease !== null) {
        shared.drains.gone(lease.agent);
        shared.link({ kind: 'disconnected', agent: lease.agent, reason, ts: clock.now() });
      }
      lease = null;
      claimed = null;
      transport.disconnect();
    },
    hello: (hello) =>
      behindChaos(() => {
        const wrong = checkHello(hello);
        if (wrong !== null) return of(wrong);
        instance = hello.instance;
        return shared.leases.acquire(hello.agent, connection).pipe(
          concatMap((granted): Observable<HelloReply> => {
            if (!granted) return of(duplicate(hello));
            claimed = hello.agent;
            const waitMs = shared.admitEpoch(hello.agent, hello.epoch);
            return waitMs > 0 ? tooManyEpochs(hello, waitMs) : greet(hello);
          }),
        );
      }),
    coverage: ({ after }) =>
      defer(() => {
        if (lease === null) return of(HELLO_FIRST);
        const { agent, epoch } = lease;
        return of({ ok: true as const, ...coveragePage(store.coverage(agent, epoch), after) });
      }),
    schema: ({ ref, schema }) =>
      defer(() => {
        if (lease === null) return of(HELLO_FIRST);
        const { agent } = lease;
        const interned = internSchema(schema);
        if (interned.ref !== ref) {
          return of(refuse('bad_request', `schema: its content address is ${interned.ref}, not ${ref}`));
        }
        if (store.schema(agent, ref) !== undefined) return of({ ok: true as const });
        if (store.seriesCount(agent) + shared.newSeries(agent, schema) > limits.maxSeries) {
          refusedSchemas.add(ref);
          return of(
            refuse(
              'too_many_series',
              `HQ keeps ${limits.maxSeries} series of one agent; this schema goes beyond`,
            ),
          );
        }
        return store.putSchema(agent, interned).pipe(
          map(() => ({ ok: true as const })),
          storageFailed('schema'),
        );
      }),
    frame: ({ lane }, bytes) =>
      defer(() => {
        const started = clock.precise();
        const answered = (outcome: 'stored' | 'duplicate' | 'refused' | 'lost') =>
          emit({ type: 'frames_answered', lane, outcome, durationMs: clock.precise() - started });
        let done = false;
        return behindChaos(() => takeFrame(lane, bytes)).pipe(
          map((reply) => {
            done = true;
            if (isRefused(reply)) {
              answered('refused');
              return reply;
            }
            answered(reply.stored ? 'stored' : 'duplicate');
            return { ok: true as const, ack: reply.ack, ...creditFields(shared.drains.credit(reply.agent)) };
          }),
          finalize(() => {
            if (!done) answered('lost');
          }),
        );
      }),
    heartbeat: (heartbeat) => {
      const now = clock.now();
      return chaos.admit().pipe(
        concatMap((verdict): Observable<HeartbeatReply> => {
          if (verdict === 'lose') return EMPTY;
          if (lease === null) return of(HELLO_FIRST);
          const { agent, epoch } = lease;
          // Heard is heard, also when chaos has HQ refuse it: the dashboard shows how the agent fares meanwhile.
          store.observeSampled(agent, epoch, heartbeat.sampled);
          shared.drains.heard(agent, heartbeat.sampled);
          const clockOffsetMs = shared.offsetOf(agent).observe(heartbeat.ts, now, heartbeat.rttMs);
          shared.link({ kind: 'heartbeat', agent, heartbeat, clockOffsetMs, ts: now });
          if (verdict === 'refuse') return of(downOnPurpose());
          return of({
            ok: true as const,
            hqTs: clock.now(),
            ack: ackCoverage(store.coverage(agent, epoch)),
            storing: shared.isStoring(),
            ...hint.changed(),
          });
        }),
      );
    },
    goodbye: ({ reason }) =>
      defer(() => {
        if (lease !== null) emit({ type: 'agent_goodbye', agent: lease.agent, reason });
        return of({ ok: true as const });
      }),
    gone: (reason) => {
      if (claimed !== null) shared.leases.release(claimed, connection);
      claimed = null;
      const held = lease;
      lease = null;
      if (held === null) return;
      shared.drains.gone(held.agent);
      emit({ type: 'agent_disconnected', agent: held.agent, reason, connected: shared.leases.size() });
      shared.link({ kind: 'disconnected', agent: held.agent, reason, ts: clock.now() });
    },
  };

  /** Both are told, and the operators. */
  function duplicate({ agent, epoch }: Hello): Refused {
    const { address } = transport;
    const same = lastEpochOf(agent) === epoch ? ' with the same journal' : '';
    const detail = `a second agent at ${address} claims to be ${agent}${same}`;
    shared.leases.holder(agent)?.conflict(`${detail}; HQ refuses it`);
    emit({ type: 'duplicate_agent', agent, address, detail });
    shared.link({ kind: 'alarm', agent, alarm: 'duplicate_agent', detail, ts: clock.now() });
    const advice = 'give each its own id (--id), and a cloned disk its own life (--new-epoch)';
    const message = `another live agent is called ${agent}: ${advice}`;
    return refuse('duplicate_agent', message, { retryAfterMs: DUPLICATE_RETRY_MS });
  }

  function knownOf({ agent, epoch }: Hello): Known {
    const { contiguous, ranges } = store.coverage(agent, epoch);
    return {
      run: store.run(agent, epoch),
      highest: ranges.at(-1)?.[1] ?? contiguous,
      sampled: store.sampled(agent, epoch),
    };
  }

  /** It would deliver other samples under seqs that HQ has already. `holder`: another agent, whose epoch it is. */
  function forked(hello: Hello, holder: string | null = null): Refused {
    const { address } = transport;
    const { agent } = hello;
    const detail = `the journal of ${agent} at ${address} ${whyForked(hello, holder)}`;
    emit({ type: 'forked_epoch', agent, address, detail });
    shared.link({ kind: 'alarm', agent, alarm: 'forked_epoch', detail, ts: clock.now() });
    return refuse('forked_epoch', `${detail}; it begins a new epoch, or restart it with --new-epoch`);
  }

  function noteLost(agent: string, epoch: Epoch, samples: number): void {
    if (samples === 0) return;
    emit({ type: 'lost_at_hq', agent, epoch, samples });
    const detail = `${samples} samples of ${agent} are booked as lost: HQ no longer holds them`;
    shared.link({ kind: 'alarm', agent, alarm: 'lost_at_hq', detail, ts: clock.now() });
  }

  function lastEpochOf(agent: string): Epoch | undefined {
    return store.agents().find((one) => one.agent === agent)?.epoch;
  }

  function tooManyEpochs({ agent }: Hello, retryAfterMs: number): Observable<Refused> {
    if (lease === null) {
      shared.leases.release(agent, connection);
      claimed = null;
    }
    const message = 'this agent begins new journals faster than HQ allows: keep its data directory';
    return of(refuse('rate_limited', message, { retryAfterMs }));
  }

  /** Books what is lost only once frames of an earlier connection are in: they may be what seems to be missing. */
  function greet(hello: Hello): Observable<HelloReply> {
    const { agent, epoch } = hello;
    const askedAt = clock.precise();
    let before = 0;
    return shared.settled(agent).pipe(
      switchMap(() => {
        // Under another id: what the original has delivered would count as lost here.
        const holder = store.knowsEpoch(agent, epoch) ? null : store.holderOf(epoch);
        if (holder !== null) {
          // Its alarm is kept: ids that only ever come like this are bounded, too.
          shared.learnAgent(agent);
          return of(forked(hello, holder));
        }
        if (judgeRun(knownOf(hello), hello) === 'fork') return of(forked(hello));
        before = coveredCount(store.coverage(agent, epoch));
        const { sampled, released } = hello;
        return store.noteEpoch({ agent, epoch, sampled, released, run: greetedRun(hello), ts: clock.now() });
      }),
      map((coverage): HelloReply => {
        if (isRefused(coverage)) return coverage;
        const lost = coveredCount(coverage) - before;
        noteLost(agent, epoch, lost);
        const now = clock.now();
        const { maxFrameBytes, maxFrameSamples, maxSeries } = limits;
        if (shared.leases.holder(agent) !== connection) {
          return refuse('duplicate_agent', `another connection of ${agent} was faster`, {
            retryAfterMs: DUPLICATE_RETRY_MS,
          });
        }
        lease = { agent, epoch, since: now };
        shared.learnAgent(agent);
        shared.drains.accepted(agent, {
          sampled: hello.sampled,
          contiguous: coverage.contiguous,
          // Agents that name the versions they speak know of bytes.
          knowsBytes: hello.protocols !== undefined,
          tell: (credit) => transport.sendCredit(creditMessage(credit)),
        });
        const clockOffsetMs = shared.offsetOf(agent).observe(hello.ts, now, null);
        const connected = shared.leases.size();
        emit({ type: 'agent_connected', agent, epoch, version: hello.version, connected });
        shared.link({
          kind: 'connected',
          agent,
          epoch,
          version: hello.version,
          ts: now,
          sampled: hello.sampled,
          clockOffsetMs,
        });
        return {
          ok: true,
          ...agreed(hello, coverage),
          ...heldFields(hello, clock.precise() - askedAt),
          ...(lost === 0 ? {} : { lost }),
          limits: { maxFrameBytes, maxFrameSamples, maxSeries },
          ...creditFields(shared.drains.credit(agent)),
          ...hint.tell(),
          hqTs: now,
          ...(shared.identity === null ? {} : { hq: shared.identity }),
        };
      }),
      storageFailed('hello'),
      tap((reply) => {
        // A lease that was never greeted would keep others out.
        if (!isRefused(reply) || lease !== null) return;
        shared.leases.release(agent, connection);
        claimed = null;
      }),
    );
  }

  type Taken = {
    readonly agent: string;
    readonly stored: boolean;
    readonly ack: ReturnType<typeof ackCoverage>;
  };

  function takeFrame(lane: FrameMeta['lane'], bytes: Uint8Array): Observable<Taken | Refused> {
    if (lease === null) return of(HELLO_FIRST);
    const { agent, epoch } = lease;
    if (shared.leases.holder(agent) !== connection)
      return of(refuse('duplicate_agent', 'another connection has taken over'));
    if (bytes.length > limits.maxFrameBytes) {
      return of(
        refuse('too_large', `frame: ${bytes.length} bytes, HQ takes ${limits.maxFrameBytes}: split it`),
      );
    }
    const waitMs = shared.spend(agent, bytes.length, lane);
    if (waitMs > 0) {
      transport.holdBack(waitMs);
      return of(refuse('rate_limited', 'this agent sends faster than HQ allows', { retryAfterMs: waitMs }));
    }
    let header: FrameHeader;
    let outline: FrameOutline;
    let reason: GapReason | null;
    try {
      header = verifyFrame(bytes);
      outline = header.kind === 'gap' ? NO_CONTENT : outlineOf(bytes);
      reason = header.kind === 'gap' ? decodeGap(bytes).reason : null;
    } catch (error) {
      const message = error instanceof FrameError ? `${error.code}: ${error.message}` : String(error);
      return of(refuse('bad_frame', message));
    }
    if (header.epoch !== epoch) {
      return of(refuse('bad_frame', `frame of epoch ${header.epoch}, but hello was said for ${epoch}`));
    }
    if (outline.rows > limits.maxFrameSamples) {
      const rows = `${outline.rows} ${header.kind === 'thinned' ? 'buckets' : 'samples'}`;
      return of(refuse('too_large', `frame: ${rows}, HQ takes ${limits.maxFrameSamples}: split it`));
    }
    if (addsRangeTooMany(store.coverage(agent, epoch), header)) {
      return of(
        refuse(
          'rate_limited',
          `HQ keeps ${MAX_RANGES} ranges of one epoch: fill holes first, then send what is beyond`,
          { retryAfterMs: UNAVAILABLE_RETRY_MS },
        ),
      );
    }
    const unknown = outline.refs.filter((ref) => store.schema(agent, ref) === undefined);
    if (unknown.some((ref) => refusedSchemas.has(ref))) {
      return of(
        refuse('too_many_series', `HQ keeps ${limits.maxSeries} series of one agent; this frame has others`),
      );
    }
    if (unknown.length > 0) {
      return of(refuse('unknown_schema', 'send these schemas first', { refs: [...unknown] }));
    }
    const lastSeq = header.firstSeq + header.count - 1;
    const admission =
      lane === 'backlog' ? shared.drains.admit(agent, { lastSeq, bytes: bytes.length }) : NOT_COUNTED;
    if (!admission.isTaken) {
      const message = 'beyond the credit: more in flight than HQ allows, or others drain their backlogs now';
      return of(refuse('rate_limited', message, { retryAfterMs: admission.waitMs }));
    }
    return shared.submit({ agent, header, bytes, arrivalTs: clock.now(), lane }).pipe(
      tap(({ coverage, dropped }) => {
        if (reason === 'lost_at_hq') noteLost(agent, epoch, dropped);
        shared.drains.covered(agent, coverage.contiguous);
      }),
      map((outcome) => ({
        agent,
        stored: outcome.stored + outcome.thinned + outcome.dropped > 0,
        ack: ackCoverage(outcome.coverage, header.firstSeq),
      })),
      storageFailed('frame'),
      finalize(admission.answered),
    );
  }

  return connection;
}
