/** Gap frames: the payload is one byte, the reason. */
import { FrameError, GAP_REASONS, type GapFrame } from '../frame.ts';
import { malformed } from './bytes.ts';
import { parseVerified, sealFrame } from './header.ts';

export function encodeGap(gap: GapFrame): Uint8Array {
  const { epoch, firstSeq, count, tsMin, tsMax, reason } = gap;
  const fields = { kind: 'gap', zstd: false, notes: false, epoch, firstSeq, count, tsMin, tsMax } as const;
  return sealFrame(fields, Uint8Array.of(GAP_REASONS.indexOf(reason)));
}

/** Verifies the checksum. Throws FrameError, also when the frame is no gap. */
export function decodeGap(bytes: Uint8Array): GapFrame {
  const { header } = parseVerified(bytes);
  if (header.kind !== 'gap') throw new FrameError('unsupported_kind', `kind: ${header.kind} is not a gap`);
  const reason = GAP_REASONS[bytes[header.headerLength] ?? GAP_REASONS.length];
  if (header.payloadLength !== 1 || reason === undefined) throw malformed('payload: no known gap reason');
  const { epoch, firstSeq, count, tsMin, tsMax } = header;
  return { epoch, firstSeq, count, tsMin, tsMax, reason };
}
