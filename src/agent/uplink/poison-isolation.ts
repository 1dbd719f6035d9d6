/**
 * Poison isolation of frames, by the rules of `src/delivery/poison-isolation.ts`: a message that is too large for HQ or
 * some box in between gives no error, the connection just closes. Only a single sample, or a downsampled frame, that
 * broke three connections all by itself, or that HQ refuses, is given up.
 *
 * The journal rejects whole frames, less what is acknowledged of them: what is refused waits until every other part of
 * its frame has arrived, whether it went as a part or with the backlog.
 */
import { createPoisonIsolation, type IsolationStep } from '../../delivery/poison-isolation.ts';
import type { StoredFrame } from '../../journal/port.ts';
import { missingWithin } from '../../protocol/coverage.ts';
import {
  MAX_SUSPECTED,
  type Memory,
  type Outgoing,
  type Shipment,
  STRIKES,
  type SuspectedFrame,
  type SuspectedPart,
  type UplinkEffect,
} from './state.ts';

type Judged = readonly [Memory, UplinkEffect[]];

const isolation = createPoisonIsolation<SuspectedPart>({
  keyOf: ({ frame }) => frame.firstSeq,
  // A downsampled frame is given up as a whole: a bucket says nothing of its samples one by one.
  isDivisible: ({ frame: { kind, firstSeq, lastSeq } }) => kind === 'data' && firstSeq < lastSeq,
  maySuspect: ({ frame }) => frame.kind !== 'gap',
  strikes: STRIKES,
  maxSuspected: MAX_SUSPECTED,
});

/** The next one to be tried. */
export const nextSuspected = isolation.next;
/** It has arrived. */
export const cleared = isolation.delivered<Memory>;

export function suspect(memory: Memory, frame: Outgoing): Memory {
  return isolation.suspect(memory, partOf(frame));
}

/** It will never arrive. */
export function givenUp(memory: Memory, firstSeq: number, detail: string): Judged {
  return judged(isolation.giveUp(memory, firstSeq, detail));
}

/** HQ refuses it as it is: halves it, or gives it up when it cannot be. */
export function refuse(memory: Memory, frame: Outgoing, detail: string): Judged {
  return judged(isolation.refused(memory, partOf(frame), detail));
}

/** The journal has rejected what was left of the frame. */
export function rejectedBy(memory: Memory, origin: number): Memory {
  return { ...memory, suspected: memory.suspected.filter((one) => one.origin !== origin) };
}

/** Puts the parts where the whole was. */
export function withParts(memory: Memory, firstSeq: number, parts: readonly StoredFrame[]): Memory {
  const whole = isolation.find(memory, firstSeq);
  if (whole === undefined) return memory;
  const { origin, originLast } = whole;
  const halves = parts.map((frame): SuspectedPart => ({ frame, origin, originLast }));
  return isolation.withParts(memory, firstSeq, halves);
}

/** What was in flight when a connection closed has a strike more. */
export function afterLoss(
  memory: Memory,
  shipments: readonly Shipment[],
  alone: SuspectedFrame | null,
): Judged {
  if (alone !== null) return judged(isolation.brokenAlone(memory, alone));
  const frames = shipments.flatMap((shipment) => shipment.frames);
  return [isolation.broken(memory, frames.map(partOf)), []];
}

function partOf(frame: Outgoing): SuspectedPart {
  const { firstSeq: origin, lastSeq: originLast } = frame.whole ?? frame;
  return { frame, origin, originLast };
}

function judged([memory, step]: readonly [Memory, IsolationStep<SuspectedPart>]): Judged {
  switch (step.kind) {
    case 'none':
      return [memory, []];
    case 'halve':
      return [memory, [{ type: 'bisect', suspected: step.suspected }]];
    case 'given_up':
      return rejectWhatIsLeft(memory);
  }
}

/** Has the journal reject what is left of each frame of which nothing else can arrive any more. */
export function rejectWhatIsLeft(memory: Memory): Judged {
  const origins = new Set(
    memory.suspected.flatMap(({ stage, origin }) => (stage.kind === 'refused' ? [origin] : [])),
  );
  let next = memory;
  const effects: UplinkEffect[] = [];
  for (const origin of origins) {
    const parts = memory.suspected.filter((one) => one.origin === origin);
    const { acked } = memory;
    const [{ originLast, stage }] = parts as [SuspectedFrame];
    const refused = parts.filter((one) => one.stage.kind === 'refused');
    const samples = refused.reduce((sum, { frame }) => sum + frame.lastSeq - frame.firstSeq + 1, 0);
    const missing = missingWithin(acked, origin, originLast);
    const left = missing.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    if (refused.length < parts.length || left > samples) continue;
    const detail = stage.kind === 'refused' ? stage.reason : '';
    next = {
      ...next,
      suspected: next.suspected.map((one) =>
        one.origin === origin ? { ...one, stage: { kind: 'rejecting' } } : one,
      ),
    };
    effects.push({ type: 'reject', origin, originLast, samples, detail, acked });
  }
  return [next, effects];
}
