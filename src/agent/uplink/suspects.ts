/**
 * Finds the frame that breaks connections: a message that is too large for HQ or some box in between gives no error,
 * the connection just closes. A frame that was in flight at three disconnects becomes a suspect. A suspect travels
 * alone; when the connection breaks again it is halved, and only a single sample that broke three connections all by
 * itself is given up. So a flaky line costs time here, but no data.
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

export function addSuspect(memory: Memory, frame: StoredFrame): Memory {
  const known = memory.suspects.some((one) => one.frame.firstSeq === frame.firstSeq);
  if (known || memory.suspects.length >= MAX_SUSPECTS) return memory;
  const suspect: Suspect = { frame, origin: frame.firstSeq, strikes: 0 };
  return { ...memory, suspects: [...memory.suspects, suspect] };
}

export function dropSuspect(memory: Memory, firstSeq: number): Memory {
  const suspects = memory.suspects.filter((one) => one.frame.firstSeq !== firstSeq);
  return suspects.length === memory.suspects.length ? memory : { ...memory, suspects };
}

/** Puts the parts where the whole was; without parts it is no suspect any more. */
export function replaceSuspect(memory: Memory, firstSeq: number, parts: readonly StoredFrame[]): Memory {
  const suspects = memory.suspects.flatMap((one) =>
    one.frame.firstSeq === firstSeq
      ? parts.map((frame): Suspect => ({ frame, origin: one.origin, strikes: 0 }))
      : [one],
  );
  return { ...memory, suspects };
}

/** Blames what was in flight when a connection closed. */
export function afterLoss(
  memory: Memory,
  shipments: readonly Shipment[],
  alone: Suspect | null,
): readonly [Memory, UplinkEffect[]] {
  if (alone !== null) return afterLonelyLoss(memory, alone);
  const strikes = new Map(memory.strikes);
  let next: Memory = memory;
  for (const frame of shipments.flatMap((shipment) => shipment.frames)) {
    const count = (strikes.get(frame.firstSeq) ?? 0) + 1;
    if (count < STRIKES) strikes.set(frame.firstSeq, count);
    else {
      strikes.delete(frame.firstSeq);
      next = addSuspect(next, frame);
    }
  }
  return [{ ...next, strikes }, []];
}

function afterLonelyLoss(memory: Memory, alone: Suspect): readonly [Memory, UplinkEffect[]] {
  const suspect: Suspect = { ...alone, strikes: alone.strikes + 1 };
  const suspects = memory.suspects.map((one) =>
    one.frame.firstSeq === suspect.frame.firstSeq ? suspect : one,
  );
  const { frame } = suspect;
  if (frame.firstSeq < frame.lastSeq && frame.kind === 'data')
    return [{ ...memory, suspects }, [{ type: 'bisect', suspect }]];
  if (suspect.strikes < STRIKES || frame.kind !== 'data') return [{ ...memory, suspects }, []];
  const detail = `${STRIKES} connections broke while this sample was alone on its way`;
  return [{ ...memory, suspects }, [{ type: 'reject', suspect, detail }]];
}
