/**
 * What a frame costs HQ beyond its bytes: how many frames it counts for in the budget of its agent.
 *
 * An ordinary frame is four entries in the storage: its record, the arrival log, the epoch, an hour of the time index.
 * A frame of a few bytes can make thousands: an entry for each hour that it touches, one for each anomaly. What it is
 * to decode goes with its bytes, but for diagnostics, which compress well.
 */
import type { CheckedFrame } from '../../../protocol/frame-codec.ts';
import { hoursOf } from '../../store/keys.ts';

const ENTRIES = 4;
/** Diagnostics that cost as much as an entry. */
const DIAGNOSTICS = 8;

/** Frames that it counts for besides itself. */
export function frameWeight({
  header,
  anomalies,
  diagnostics,
}: Pick<CheckedFrame, 'header' | 'anomalies' | 'diagnostics'>): number {
  const hours = hoursOf(header.tsMin, header.tsMax).length;
  return Math.floor((hours + anomalies + diagnostics / DIAGNOSTICS) / ENTRIES);
}
