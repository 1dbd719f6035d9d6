/** `frame`: checked, admitted, and answered once its group is durable. */
import { finalize, map, type Observable, of, tap } from 'rxjs';
import { errorText } from '../../../../platform/error-text.ts';
import type { FrameMeta, FrameReply } from '../../../../protocol/events.ts';
import { FrameError, type FrameHeader, type GapReason } from '../../../../protocol/frame.ts';
import { decodeGap, type FrameOutline, outlineOf, verifyFrame } from '../../../../protocol/frame-codec.ts';
import { ackCoverage } from '../ack-coverage.ts';
import { NOT_COUNTED } from '../backlog-scheduler.ts';
import { creditFields } from '../credit-fields.ts';
import { addsRangeTooMany, MAX_RANGES } from '../range-bound.ts';
import { isRefused, type Refused, refuse } from '../refusal.ts';
import {
  behindChaos,
  type Established,
  HELLO_FIRST,
  noteLost,
  type Session,
  storageFailed,
  UNAVAILABLE_RETRY_MS,
} from '../session.ts';

type Taken = {
  readonly agent: string;
  readonly stored: boolean;
  readonly ack: ReturnType<typeof ackCoverage>;
};
/** A frame that is sound, without its rows. */
type Read = {
  readonly header: FrameHeader;
  readonly outline: FrameOutline;
  /** Of a gap. */
  readonly reason: GapReason | null;
};

const NO_CONTENT: FrameOutline = { refs: [], rows: 0 };

export function handleFrame(
  session: Session,
  { lane }: FrameMeta,
  bytes: Uint8Array,
): Observable<FrameReply> {
  const { clock, emit, drains } = session.shared;
  const started = clock.precise();
  const answered = (outcome: 'stored' | 'duplicate' | 'refused' | 'lost') =>
    emit({ type: 'frames_answered', lane, outcome, durationMs: clock.precise() - started });
  let done = false;
  return behindChaos(session, () => take(session, lane, bytes)).pipe(
    map((reply): FrameReply => {
      done = true;
      if (isRefused(reply)) {
        answered('refused');
        return reply;
      }
      answered(reply.stored ? 'stored' : 'duplicate');
      return { ok: true, ack: reply.ack, ...creditFields(drains.credit(reply.agent)) };
    }),
    finalize(() => {
      if (!done) answered('lost');
    }),
  );
}

function take(session: Session, lane: FrameMeta['lane'], bytes: Uint8Array): Observable<Taken | Refused> {
  const { shared } = session;
  const held = session.established();
  if (held === null) return of(HELLO_FIRST);
  const { agent, epoch } = held;
  const tooFast = refuseHaste(session, held, lane, bytes);
  if (tooFast !== null) return of(tooFast);
  const read = readFrame(bytes);
  if (isRefused(read)) return of(read);
  const { header, reason } = read;
  const wrong = refuseContent(session, held, read);
  if (wrong !== null) return of(wrong);
  const lastSeq = header.firstSeq + header.count - 1;
  const admission =
    lane === 'backlog' ? shared.drains.admit(agent, { lastSeq, bytes: bytes.length }) : NOT_COUNTED;
  if (!admission.isTaken) {
    const message = 'beyond the credit: more in flight than HQ allows, or others drain their backlogs now';
    return of(refuse('rate_limited', message, { retryAfterMs: admission.waitMs }));
  }
  return shared.submit({ agent, header, bytes, arrivalTs: shared.clock.now(), lane }).pipe(
    tap(({ coverage, dropped }) => {
      if (reason === 'lost_at_hq') noteLost(session, agent, epoch, dropped);
      shared.drains.covered(agent, coverage.contiguous);
    }),
    map((outcome) => ({
      agent,
      stored: outcome.stored + outcome.thinned + outcome.dropped > 0,
      ack: ackCoverage(outcome.coverage, header.firstSeq),
    })),
    storageFailed(session, 'frame'),
    finalize(admission.answered),
  );
}

/** Before its bytes are looked at. */
function refuseHaste(
  session: Session,
  { agent }: Established,
  lane: FrameMeta['lane'],
  bytes: Uint8Array,
): Refused | null {
  const { leases, limits, spend } = session.shared;
  if (leases.holder(agent) !== session) return refuse('duplicate_agent', 'another connection has taken over');
  if (bytes.length > limits.maxFrameBytes) {
    return refuse('too_large', `frame: ${bytes.length} bytes, HQ takes ${limits.maxFrameBytes}: split it`);
  }
  const waitMs = spend(agent, bytes.length, lane);
  if (waitMs === 0) return null;
  session.transport.throttle(waitMs);
  return refuse('rate_limited', 'this agent sends faster than HQ allows', { retryAfterMs: waitMs });
}

function readFrame(bytes: Uint8Array): Read | Refused {
  try {
    const header = verifyFrame(bytes);
    return header.kind === 'gap'
      ? { header, outline: NO_CONTENT, reason: decodeGap(bytes).reason }
      : { header, outline: outlineOf(bytes), reason: null };
  } catch (error) {
    const message = error instanceof FrameError ? `${error.code}: ${error.message}` : errorText(error);
    return refuse('bad_frame', message);
  }
}

function refuseContent(
  { shared, refusedSchemas }: Session,
  { agent, epoch }: Established,
  { header, outline }: Read,
): Refused | null {
  const { store, limits } = shared;
  if (header.epoch !== epoch) {
    return refuse('bad_frame', `frame of epoch ${header.epoch}, but hello was said for ${epoch}`);
  }
  if (outline.rows > limits.maxFrameSamples) {
    const rows = `${outline.rows} ${header.kind === 'thinned' ? 'buckets' : 'samples'}`;
    return refuse('too_large', `frame: ${rows}, HQ takes ${limits.maxFrameSamples}: split it`);
  }
  if (addsRangeTooMany(store.coverage(agent, epoch), header)) {
    const message = `HQ keeps ${MAX_RANGES} ranges of one epoch: fill holes first, then send what is beyond`;
    return refuse('rate_limited', message, { retryAfterMs: UNAVAILABLE_RETRY_MS });
  }
  const unknown = outline.refs.filter((ref) => store.schema(agent, ref) === undefined);
  if (unknown.length === 0) return null;
  return unknown.some((ref) => refusedSchemas.has(ref))
    ? refuse('too_many_series', `HQ keeps ${limits.maxSeries} series of one agent; this frame has others`)
    : refuse('unknown_schema', 'send these schemas first', { refs: [...unknown] });
}
