/**
 * Finds the frame that breaks connections: a message that is too large for HQ or some box in between gives no error,
 * the connection just closes. A frame that was in flight at three disconnects is suspected. It then travels alone; when
 * the connection breaks again it is halved, and only a single sample (or downsampled frame) that broke three
 * connections all by itself, or that HQ refuses, is given up. So a flaky link costs time here, but no data.
 *
 * The journal rejects whole frames, less what is acknowledged of them: what is refused waits until every other part of
 * its frame has arrived, whether it went as a part or with the backlog.
 */
import type { StoredFrame } from '../../journal/port.ts';
import { missingWithin } from '../../protocol/coverage.ts';
import {
  MAX_SUSPECTED,
  type Memory,
  type Outgoing,
  type Shipment,
  STRIKES,
  type Suspected,
  type UplinkEffect,
} from './state.ts';

type Judged = readonly [Memory, UplinkEffect[]];

export function suspect(memory: Memory, frame: Outgoing): Memory {
  const known = memory.suspected.some((one) => one.frame.firstSeq === frame.firstSeq);
  if (known || memory.suspected.length >= MAX_SUSPECTED) return memory;
  const { firstSeq: origin, lastSeq: originLast } = frame.whole ?? frame;
  const suspected: Suspected = { frame, origin, originLast, verdict: { kind: 'open' }, strikes: 0 };
  return { ...memory, suspected: [...memory.suspected, suspected] };
}

export function suspectedAt(memory: Memory, firstSeq: number): Suspected | undefined {
  return memory.suspected.find((one) => one.frame.firstSeq === firstSeq);
}

/** The next one to be tried. */
export function nextSuspected(memory: Memory): Suspected | undefined {
  return memory.suspected.find((one) => one.verdict.kind === 'open');
}

/** It has arrived. */
export function cleared(memory: Memory, firstSeq: number): Memory {
  const found = suspectedAt(memory, firstSeq);
  if (found === undefined) return memory;
  return { ...memory, suspected: memory.suspected.filter((one) => one !== found) };
}

/** It will never arrive. */
export function givenUp(memory: Memory, firstSeq: number, detail: string): Judged {
  const found = suspectedAt(memory, firstSeq);
  if (found === undefined || found.verdict.kind === 'refused' || found.verdict.kind === 'rejecting')
    return [memory, []];
  return rejectWhatIsLeft(replaced(memory, { ...found, verdict: { kind: 'refused', detail } }));
}

/** The journal has rejected what was left of the frame. */
export function rejectedBy(memory: Memory, origin: number): Memory {
  return { ...memory, suspected: memory.suspected.filter((one) => one.origin !== origin) };
}

/** Puts the parts where the whole was. */
export function withParts(memory: Memory, firstSeq: number, parts: readonly StoredFrame[]): Memory {
  const suspected = memory.suspected.flatMap((one) =>
    one.frame.firstSeq === firstSeq
      ? parts.map((frame): Suspected => ({ ...one, frame, verdict: { kind: 'open' }, strikes: 0 }))
      : [one],
  );
  return { ...memory, suspected };
}

/** HQ refuses it as it is: halves it, or gives it up when it cannot be. */
export function refuse(memory: Memory, frame: Outgoing, detail: string): Judged {
  const known = suspect(memory, frame);
  const found = suspectedAt(known, frame.firstSeq);
  if (found === undefined) return [known, []];
  return isDivisible(frame) ? halve(known, found) : givenUp(known, frame.firstSeq, detail);
}

/** A downsampled frame is given up as a whole: a bucket says nothing of its samples one by one. */
function isDivisible({ kind, firstSeq, lastSeq }: StoredFrame): boolean {
  return kind === 'data' && firstSeq < lastSeq;
}

function halve(memory: Memory, found: Suspected): Judged {
  return [
    replaced(memory, { ...found, verdict: { kind: 'halving' } }),
    [{ type: 'bisect', suspected: found }],
  ];
}

function replaced(memory: Memory, suspected: Suspected): Memory {
  const { firstSeq } = suspected.frame;
  return {
    ...memory,
    suspected: memory.suspected.map((one) => (one.frame.firstSeq === firstSeq ? suspected : one)),
  };
}

/** What was in flight when a connection closed has a strike more. */
export function afterLoss(memory: Memory, shipments: readonly Shipment[], alone: Suspected | null): Judged {
  if (alone !== null) return afterLossAlone(memory, alone);
  const strikes = new Map(memory.strikes);
  let next: Memory = memory;
  for (const frame of shipments.flatMap((shipment) => shipment.frames)) {
    const count = (strikes.get(frame.firstSeq) ?? 0) + 1;
    if (count < STRIKES || frame.kind === 'gap') strikes.set(frame.firstSeq, count);
    else {
      strikes.delete(frame.firstSeq);
      next = suspect(next, frame);
    }
  }
  return [{ ...next, strikes }, []];
}

function afterLossAlone(memory: Memory, alone: Suspected): Judged {
  const found: Suspected = { ...alone, strikes: alone.strikes + 1 };
  const { frame } = found;
  const noted = replaced(memory, found);
  if (isDivisible(frame)) return halve(noted, found);
  if (found.strikes < STRIKES) return [noted, []];
  return givenUp(noted, frame.firstSeq, `${STRIKES} connections broke while it was alone on its way`);
}

/** Has the journal reject what is left of each frame of which nothing else can arrive any more. */
export function rejectWhatIsLeft(memory: Memory): Judged {
  const origins = new Set(
    memory.suspected.flatMap(({ verdict, origin }) => (verdict.kind === 'refused' ? [origin] : [])),
  );
  let next = memory;
  const effects: UplinkEffect[] = [];
  for (const origin of origins) {
    const parts = memory.suspected.filter((one) => one.origin === origin);
    const { acked } = memory;
    const [{ originLast, verdict }] = parts as [Suspected];
    const refused = parts.filter((one) => one.verdict.kind === 'refused');
    const samples = refused.reduce((sum, { frame }) => sum + frame.lastSeq - frame.firstSeq + 1, 0);
    const missing = missingWithin(acked, origin, originLast);
    const left = missing.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    if (refused.length < parts.length || left > samples) continue;
    const detail = verdict.kind === 'refused' ? verdict.detail : '';
    next = {
      ...next,
      suspected: next.suspected.map((one) =>
        one.origin === origin ? { ...one, verdict: { kind: 'rejecting' } } : one,
      ),
    };
    effects.push({ type: 'reject', origin, originLast, samples, detail, acked });
  }
  return [next, effects];
}
