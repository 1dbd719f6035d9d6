/** A frame under another epoch and other seqs. What its payload says is relative to its first seq, so that it stays as it is. */

import { FrameError } from '../frame.ts';
import type { Epoch } from '../sample.ts';
import { parseVerified, sealFrame } from './header.ts';

/** Verifies the checksum first. Throws FrameError. */
export function resealFrame(
  bytes: Uint8Array,
  { epoch, firstSeq }: { readonly epoch: Epoch; readonly firstSeq: number },
): Uint8Array {
  const { header, notes } = parseVerified(bytes);
  const { kind, compression, count, tsMin, tsMax, headerLength } = header;
  if (kind === 'thinned') throw new FrameError('unsupported_kind', 'kind: thinned frames are reserved');
  const fields = { kind, zstd: compression === 'zstd', notes, epoch, firstSeq, count, tsMin, tsMax };
  return sealFrame(fields, bytes.subarray(headerLength));
}
