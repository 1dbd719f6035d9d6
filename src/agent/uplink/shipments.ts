/** What is on its way, and what may travel together. Pure. */
import { type Coverage, cover } from '../../protocol/coverage.ts';
import type { Limits } from '../../protocol/events.ts';
import {
  MAX_LIVE_SAMPLES,
  type Memory,
  type Online,
  type Outgoing,
  type Seqs,
  type Shipment,
} from './state.ts';
import { onTheWire } from './wire-bytes.ts';

export function shipmentOf(frames: readonly Outgoing[]): Shipment {
  const first = frames[0];
  const last = frames.at(-1);
  if (first === undefined || last === undefined) throw new RangeError('a shipment needs a frame');
  return { firstSeq: first.firstSeq, lastSeq: last.lastSeq, frames };
}

export function overlaps(a: Seqs, b: Seqs): boolean {
  return a.firstSeq <= b.lastSeq && b.firstSeq <= a.lastSeq;
}

/** Bytes of its frames; merged they are fewer. */
export function bytesOf({ frames }: Shipment): number {
  return frames.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

/** Bytes that shipments take of the link. */
export function wireBytesOf(shipments: readonly Shipment[]): number {
  return shipments.reduce((sum, one) => sum + onTheWire(bytesOf(one)), 0);
}

/** Everything that is in flight, as it stands. */
export function inFlight(state: Online): readonly Shipment[] {
  const alone = state.alone === null ? [] : [shipmentOf([state.alone.frame])];
  return [...state.live.inFlight, ...state.backlog.inFlight, ...alone];
}

/** Ranges that compaction and downsampling must leave as they are. */
export function busyRanges(memory: Memory, taken: readonly Seqs[]): (readonly [number, number])[] {
  return [
    ...taken.map((one) => [one.firstSeq, one.lastSeq] as const),
    ...memory.suspected.map(({ frame }) => [frame.firstSeq, frame.lastSeq] as const),
  ].sort((a, b) => a[0] - b[0]);
}

/** What HQ may hold once these are on their way. */
export function withSent(known: Coverage | null, shipments: readonly Seqs[]): Coverage | null {
  if (known === null) return null;
  return shipments.reduce<Coverage>((sum, one) => cover(sum, one.firstSeq, one.lastSeq), known);
}

export type BatchLimits = Pick<Limits, 'maxFrameBytes' | 'maxFrameSamples'> & {
  /** Together; the first one may have more. */
  readonly maxBytes: number;
  /** Whether a frame behind the first one may go now; all by default. */
  readonly mayJoin?: (frame: Seqs) => boolean;
};

/** Adjacent frames from the head of a queue that may travel as one message. */
export function nextBatch<T extends Outgoing>(queue: readonly T[], limits: BatchLimits): readonly T[] {
  const batch: T[] = [];
  const maxBytes = Math.min(limits.maxBytes, limits.maxFrameBytes);
  let bytes = 0;
  for (const frame of queue) {
    const first = batch[0];
    const last = batch.at(-1);
    bytes += frame.bytes.length;
    if (first !== undefined && last !== undefined) {
      const samples = frame.lastSeq - first.firstSeq + 1;
      const mergeable = first.kind === 'data' && frame.kind === 'data' && frame.firstSeq === last.lastSeq + 1;
      const fits = samples <= Math.min(MAX_LIVE_SAMPLES, limits.maxFrameSamples) && bytes <= maxBytes;
      const mayJoin = frame.isUncut !== true && limits.mayJoin?.(frame) !== false;
      if (!mergeable || !fits || !mayJoin) break;
    }
    batch.push(frame);
  }
  return batch;
}
