/**
 * A frame under another epoch and other seqs. What its payload says is relative to its first seq, so that it stays as
 * it is.
 */

import type { Epoch } from '../sample.ts';
import { parseVerified, sealFrame } from './header.ts';

/** Verifies the checksum first. Throws FrameError. */
export function resealFrame(
  bytes: Uint8Array,
  { epoch, firstSeq }: { readonly epoch: Epoch; readonly firstSeq: number },
): Uint8Array {
  const { header, notes } = parseVerified(bytes);
  const { kind, compression, count, tsMin, tsMax, headerLength } = header;
  const fields = { kind, zstd: compression === 'zstd', notes, epoch, firstSeq, count, tsMin, tsMax };
  return sealFrame(fields, bytes.subarray(headerLength));
}
