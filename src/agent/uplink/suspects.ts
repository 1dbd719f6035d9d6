/**
 * Finds the frame that breaks connections: a message that is too large for HQ or some box in between gives no error,
 * the connection just closes. A frame that was in flight at three disconnects becomes a suspect. A suspect travels
 * alone; when the connection breaks again it is halved, and only a single sample (or thinned frame) that broke three
 * connections all by itself, or that HQ refuses, is condemned. So a flaky line costs time here, but no data.
 *
 * The journal rejects whole frames, less what is acknowledged of them: condemned samples wait until every other part
 * of their frame has arrived.
 */
import type { StoredFrame } from '../../journal/journal.ts';
import {
  MAX_SUSPECTS,
  type Memory,
  type Shipment,
  STRIKES,
  type Suspect,
  type UplinkEffect,
} from './state.ts';

type Judged = readonly [Memory, UplinkEffect[]];

export function addSuspect(memory: Memory, frame: StoredFrame): Memory {
  const known = memory.suspects.some((one) => one.frame.firstSeq === frame.firstSeq);
  if (known || memory.suspects.length >= MAX_SUSPECTS) return memory;
  const { firstSeq: origin, lastSeq: originLast } = frame;
  const suspect: Suspect = { frame, origin, originLast, verdict: { kind: 'open' }, strikes: 0 };
  return { ...memory, suspects: [...memory.suspects, suspect] };
}

export function suspectAt(memory: Memory, firstSeq: number): Suspect | undefined {
  return memory.suspects.find((one) => one.frame.firstSeq === firstSeq);
}

/** The next one to be tried. */
export function nextSuspect(memory: Memory): Suspect | undefined {
  return memory.suspects.find((one) => one.verdict.kind === 'open');
}

/** It has arrived. */
export function acquit(memory: Memory, firstSeq: number): Judged {
  const suspect = suspectAt(memory, firstSeq);
  if (suspect === undefined) return [memory, []];
  const suspects = memory.suspects.filter((one) => one !== suspect);
  return executed({ ...memory, suspects }, suspect.origin);
}

/** It will never arrive. */
export function condemn(memory: Memory, firstSeq: number, detail: string): Judged {
  const suspect = suspectAt(memory, firstSeq);
  if (suspect === undefined || suspect.verdict.kind === 'condemned') return [memory, []];
  const condemned: Suspect = { ...suspect, verdict: { kind: 'condemned', detail } };
  return executed(replaced(memory, condemned), suspect.origin);
}

/** Its frame is dealt with. */
export function closeCase(memory: Memory, origin: number): Memory {
  return { ...memory, suspects: memory.suspects.filter((one) => one.origin !== origin) };
}

/** Puts the parts where the whole was. */
export function replaceSuspect(memory: Memory, firstSeq: number, parts: readonly StoredFrame[]): Memory {
  const suspects = memory.suspects.flatMap((one) =>
    one.frame.firstSeq === firstSeq
      ? parts.map((frame): Suspect => ({ ...one, frame, verdict: { kind: 'open' }, strikes: 0 }))
      : [one],
  );
  return { ...memory, suspects };
}

/** HQ refuses it as it is: halves it, or gives it up when it cannot be. */
export function refuse(memory: Memory, frame: StoredFrame, detail: string): Judged {
  const known = addSuspect(memory, frame);
  const suspect = suspectAt(known, frame.firstSeq);
  if (suspect === undefined) return [known, []];
  return isDivisible(frame) ? halve(known, suspect) : condemn(known, frame.firstSeq, detail);
}

/** A thinned frame is condemned as a whole: a bucket says nothing of its samples one by one. */
function isDivisible({ kind, firstSeq, lastSeq }: StoredFrame): boolean {
  return kind === 'data' && firstSeq < lastSeq;
}

function halve(memory: Memory, suspect: Suspect): Judged {
  return [replaced(memory, { ...suspect, verdict: { kind: 'halving' } }), [{ type: 'bisect', suspect }]];
}

function replaced(memory: Memory, suspect: Suspect): Memory {
  const { firstSeq } = suspect.frame;
  return {
    ...memory,
    suspects: memory.suspects.map((one) => (one.frame.firstSeq === firstSeq ? suspect : one)),
  };
}

/** Blames what was in flight when a connection closed. */
export function afterLoss(memory: Memory, shipments: readonly Shipment[], alone: Suspect | null): Judged {
  if (alone !== null) return afterLonelyLoss(memory, alone);
  const strikes = new Map(memory.strikes);
  let next: Memory = memory;
  for (const frame of shipments.flatMap((shipment) => shipment.frames)) {
    const count = (strikes.get(frame.firstSeq) ?? 0) + 1;
    if (count < STRIKES || frame.kind === 'gap') strikes.set(frame.firstSeq, count);
    else {
      strikes.delete(frame.firstSeq);
      next = addSuspect(next, frame);
    }
  }
  return [{ ...next, strikes }, []];
}

function afterLonelyLoss(memory: Memory, alone: Suspect): Judged {
  const suspect: Suspect = { ...alone, strikes: alone.strikes + 1 };
  const { frame } = suspect;
  const noted = replaced(memory, suspect);
  if (isDivisible(frame)) return halve(noted, suspect);
  if (suspect.strikes < STRIKES) return [noted, []];
  return condemn(noted, frame.firstSeq, `${STRIKES} connections broke while it was alone on its way`);
}

/** Rejects what is left of a frame once nothing of it can arrive any more. */
function executed(memory: Memory, origin: number): Judged {
  const left = memory.suspects.filter((one) => one.origin === origin);
  const [detail] = left.flatMap(({ verdict }) => (verdict.kind === 'condemned' ? [verdict.detail] : []));
  if (detail === undefined || left.some(({ verdict }) => verdict.kind !== 'condemned')) return [memory, []];
  const samples = left.reduce((sum, { frame }) => sum + frame.lastSeq - frame.firstSeq + 1, 0);
  const originLast = left[0]?.originLast ?? origin;
  return [memory, [{ type: 'reject', origin, originLast, samples, detail, acked: memory.acked }]];
}
