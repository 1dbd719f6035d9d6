/** `frame`: checked, admitted, and answered once its group is durable. */
import { Observable, type Subscriber, Subscription } from 'rxjs';
import { errorText } from '../../../../platform/error-text.ts';
import type { FrameMeta, FrameReply } from '../../../../protocol/events.ts';
import { FrameError } from '../../../../protocol/frame.ts';
import { type CheckedFrame, checkFrame } from '../../../../protocol/frame-codec.ts';
import type { SchemaRef } from '../../../../protocol/sample.ts';
import type { ChaosVerdict } from '../../../chaos.ts';
import type { AgentFrame, IngestOutcome } from '../../../store/store.ts';
import { ackCoverage } from '../answered-coverage.ts';
import { type Admission, NOT_COUNTED } from '../backlog-scheduler.ts';
import { creditFields } from '../credit-fields.ts';
import { checkWeight, frameWeight, isMeasured } from '../frame-weight.ts';
import { addsRangeTooMany, MAX_RANGES } from '../range-bound.ts';
import { isRefused, type Refused, refuse } from '../refusal.ts';
import {
  downOnPurpose,
  type Established,
  HELLO_FIRST,
  noteLost,
  type Session,
  storageRefusal,
  UNAVAILABLE_RETRY_MS,
} from '../session.ts';

/** Written out, and no chain of operators: it runs for each of thousands of frames a second. */
export function handleFrame(
  session: Session,
  { lane }: FrameMeta,
  bytes: Uint8Array,
): Observable<FrameReply> {
  const { chaos, clock, emit } = session.shared;
  return new Observable<FrameReply>((subscriber) => {
    const started = clock.precise();
    const work = new Subscription();
    let outcome: 'stored' | 'duplicate' | 'refused' | 'lost' = 'lost';
    const reply = (answer: FrameReply, is: typeof outcome) => {
      outcome = is;
      subscriber.next(answer);
      subscriber.complete();
    };
    const refused = (answer: Refused) => {
      noteRefused(session, answer);
      reply(answer, 'refused');
    };
    const submit = (frame: TakenFrame) => {
      work.add(frame.admission.answered);
      const submitted = session.shared.submit(frame.ingest).subscribe({
        next: (stored) =>
          orFail(subscriber, () => {
            const ack = noteStored(session, frame, stored);
            const isNew = stored.stored + stored.thinned + stored.dropped > 0;
            reply(ack, isNew ? 'stored' : 'duplicate');
          }),
        error: (error: unknown) => orFail(subscriber, () => refused(storageRefusal(session, 'frame', error))),
      });
      work.add(submitted);
    };
    const judged = (verdict: ChaosVerdict) => {
      if (verdict === 'lose') {
        subscriber.complete();
        return;
      }
      const taken = verdict === 'refuse' ? downOnPurpose() : take(session, lane, bytes);
      if (isRefused(taken)) refused(taken);
      else submit(taken);
    };
    work.add(
      chaos.admit().subscribe({
        next: (verdict) => orFail(subscriber, () => judged(verdict)),
        error: (error: unknown) => subscriber.error(error),
      }),
    );
    return () => {
      work.unsubscribe();
      emit({ type: 'frames_answered', lane, outcome, durationMs: clock.precise() - started });
    };
  });
}

/** Nothing is thrown into who calls back. */
function orFail(subscriber: Subscriber<unknown>, step: () => void): void {
  try {
    step();
  } catch (error) {
    subscriber.error(error);
  }
}

/** A frame that was checked and has its place. */
type TakenFrame = {
  readonly ingest: AgentFrame;
  readonly reason: CheckedFrame['reason'];
  readonly admission: Admission & { readonly isTaken: true };
};

/** What follows from what is durable now, and the answer. */
function noteStored(
  session: Session,
  { ingest, reason }: TakenFrame,
  { coverage, dropped }: IngestOutcome,
): FrameReply {
  const { agent, header } = ingest;
  const { drains } = session.shared;
  const now = session.established();
  if (now?.epoch === header.epoch) now.view.moved(coverage);
  if (reason === 'lost_at_hq') noteLost(session, agent, header.epoch, dropped);
  drains.covered(agent, coverage.contiguous);
  const ack = ackCoverage(coverage, header.firstSeq);
  return { ok: true, ack, ...creditFields(drains.credit(agent)) };
}

/** What HQ cannot take of anybody says that the link carries nothing; other refusals speak of one frame. */
function noteRefused({ shared, established }: Session, { error }: Refused): void {
  const agent = established()?.agent;
  if (error.code !== 'unavailable' || agent === undefined) return;
  shared.link({ kind: 'refused', agent, ts: shared.clock.now() });
}

function take(session: Session, lane: FrameMeta['lane'], bytes: Uint8Array): TakenFrame | Refused {
  const { shared } = session;
  const held = session.established();
  if (held === null) return HELLO_FIRST;
  const { agent } = held;
  const tooFast = refuseHaste(session, held, lane, bytes);
  if (tooFast !== null) return tooFast;
  const checked = checkAndCharge(shared, agent, lane, bytes);
  if (isRefused(checked)) return checked;
  const { header, reason } = checked;
  const wrong = refuseContent(session, held, checked);
  if (wrong !== null) return wrong;
  const lastSeq = header.firstSeq + header.count - 1;
  const admission =
    lane === 'backlog' ? shared.drains.admit(agent, { lastSeq, bytes: bytes.length }) : NOT_COUNTED;
  if (!admission.isTaken) {
    const message = 'beyond the credit: more in flight than HQ allows, or others drain their backlogs now';
    return refuse('rate_limited', message, { retryAfterMs: admission.waitMs });
  }
  const ingest = { agent, header, bytes, arrivalTs: shared.clock.now(), lane };
  return { ingest, reason, admission };
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

/** What it takes, and what it makes HQ do, is off the agent's budget, whether it can be read or not. */
function checkAndCharge(
  { clock, charge }: Pick<Session['shared'], 'clock' | 'charge'>,
  agent: string,
  lane: FrameMeta['lane'],
  bytes: Uint8Array,
): CheckedFrame | Refused {
  const spent = isMeasured(bytes) ? (clock.cpu ?? clock.precise) : null;
  const before = spent?.() ?? 0;
  const checked = check(bytes);
  const checkFrames = spent === null ? 0 : checkWeight(spent() - before, bytes, lane);
  charge(agent, checkFrames + (isRefused(checked) ? 0 : frameWeight(checked, lane)), lane);
  return checked;
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
