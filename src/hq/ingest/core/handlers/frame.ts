/** `frame`: checked, admitted, and answered once its group is durable. */
import { finalize, map, type Observable, of, tap } from 'rxjs';
import { errorText } from '../../../../platform/error-text.ts';
import type { FrameMeta, FrameReply } from '../../../../protocol/events.ts';
import { FrameError } from '../../../../protocol/frame.ts';
import { type CheckedFrame, checkFrame } from '../../../../protocol/frame-codec.ts';
import type { SchemaRef } from '../../../../protocol/sample.ts';
import { ackCoverage } from '../answered-coverage.ts';
import { NOT_COUNTED } from '../backlog-scheduler.ts';
import { creditFields } from '../credit-fields.ts';
import { frameWeight } from '../frame-weight.ts';
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
        noteRefused(session, reply);
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

/** What HQ cannot take of anybody says that the link carries nothing; other refusals speak of one frame. */
function noteRefused({ shared, established }: Session, { error }: Refused): void {
  const agent = established()?.agent;
  if (error.code !== 'unavailable' || agent === undefined) return;
  shared.link({ kind: 'refused', agent, ts: shared.clock.now() });
}

function take(session: Session, lane: FrameMeta['lane'], bytes: Uint8Array): Observable<Taken | Refused> {
  const { shared } = session;
  const held = session.established();
  if (held === null) return of(HELLO_FIRST);
  const { agent, epoch } = held;
  const tooFast = refuseHaste(session, held, lane, bytes);
  if (tooFast !== null) return of(tooFast);
  const checked = check(bytes);
  if (isRefused(checked)) return of(checked);
  const { header, reason } = checked;
  shared.charge(agent, frameWeight(checked), lane);
  const wrong = refuseContent(session, held, checked);
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
      const now = session.established();
      if (now?.epoch === epoch) now.view.moved(coverage);
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
  if (!leases.holds(agent, session)) return refuse('duplicate_agent', 'another connection has taken over');
  if (bytes.length > limits.maxFrameBytes) {
    return refuse('too_large', `frame: ${bytes.length} bytes, HQ takes ${limits.maxFrameBytes}: split it`);
  }
  const waitMs = spend(agent, bytes.length, lane);
  if (waitMs === 0) return null;
  session.transport.throttle(waitMs);
  return refuse('rate_limited', 'this agent sends faster than HQ allows', { retryAfterMs: waitMs });
}

/** All of it, once: what is acked can be read. */
function check(bytes: Uint8Array): CheckedFrame | Refused {
  try {
    return checkFrame(bytes);
  } catch (error) {
    if (error instanceof FrameError && error.code === 'too_many_notes')
      return refuse('too_large', `frame: ${error.message}: split it`);
    const message = error instanceof FrameError ? `${error.code}: ${error.message}` : errorText(error);
    return refuse('bad_frame', message);
  }
}

function refuseContent(
  { shared, refusedSchemas }: Session,
  { epoch, view }: Established,
  { header, groups, rows }: CheckedFrame,
): Refused | null {
  const { limits } = shared;
  if (header.epoch !== epoch) {
    return refuse('bad_frame', `frame of epoch ${header.epoch}, but hello was said for ${epoch}`);
  }
  if (rows > limits.maxFrameSamples) {
    const size = `${rows} ${header.kind === 'thinned' ? 'buckets' : 'samples'}`;
    return refuse('too_large', `frame: ${size}, HQ takes ${limits.maxFrameSamples}: split it`);
  }
  if (addsRangeTooMany(view.coverage(), header)) {
    const message = `HQ keeps ${MAX_RANGES} ranges of one epoch: fill holes first, then send what is beyond`;
    return refuse('rate_limited', message, { retryAfterMs: UNAVAILABLE_RETRY_MS });
  }
  const unknown = new Set<SchemaRef>();
  for (const [index, { schemaRef, columns }] of groups.entries()) {
    const series = view.seriesOf(schemaRef);
    if (series === undefined) unknown.add(schemaRef);
    else if (series !== columns) {
      const message = `group ${index + 1}: ${columns} columns for the ${series} series of ${schemaRef}`;
      return refuse('bad_frame', `malformed: ${message}`);
    }
  }
  if (unknown.size === 0) return null;
  const refs = [...unknown];
  const refused = refs.map((ref) => refusedSchemas.get(ref)).find((one) => one !== undefined);
  return refused ?? refuse('unknown_schema', 'send these schemas first', { refs });
}
