/**
 * What a frame costs HQ beyond its bytes: how many frames it counts for in the budget of its agent.
 *
 * An ordinary frame is four entries in the storage: its record, the arrival log, the epoch, an hour of the time index.
 * A frame of a few bytes can make thousands: an entry for each hour that it touches, one for each anomaly. It can hold
 * millions of values, constants, which all that reads the log looks at one by one. And it can take more of the
 * processor to check than its bytes tell; that is measured, also of one that is refused.
 */
import type { Lane } from '../../../protocol/events.ts';
import type { CheckedFrame } from '../../../protocol/frame-codec.ts';
import { hoursOf } from '../../store/keys.ts';

const ENTRIES = 4;
/** Diagnostics that cost as much as an entry. */
const DIAGNOSTICS = 8;

/**
 * What one frame may hold, and what its check may take beyond what its bytes ordinarily do. With the frames that an
 * agent may send a second, by default 2 M values and 150 ms a second in the live lane, 262 M and 200 ms in the other; a
 * drain at full speed has a fifth of those values, and takes no longer than its bytes do.
 */
const LANES: Readonly<Record<Lane, { readonly values: number; readonly ms: number }>> = {
  live: { values: 4_096, ms: 0.3 },
  backlog: { values: 131_072, ms: 0.1 },
};
/** What checks ordinarily take at most, ms and ms a byte: twice what was measured of samples of all kinds. */
const ORDINARY_MS = 0.3;
const ORDINARY_BYTE_MS = 0.05 / 1_024;
/** No check takes longer; a process that was stopped meanwhile owes nothing for it. */
const MAX_CHECK_MS = 100;
/** Of smaller frames the check is not measured: they cannot take long. */
const LEAST_MEASURED_BYTES = 1_024;

/** Frames that it counts for besides itself. */
export function frameWeight(
  { header, anomalies, diagnostics, values }: Omit<CheckedFrame, 'groups' | 'rows' | 'reason'>,
  lane: Lane,
): number {
  const hours = hoursOf(header.tsMin, header.tsMax).length;
  const entries = (hours + anomalies + diagnostics / DIAGNOSTICS) / ENTRIES;
  return Math.floor(entries + values / LANES[lane].values);
}

/** Frames that its check counts for, by the processor's time that it took, ms. */
export function checkWeight(ms: number, { length }: Uint8Array, lane: Lane): number {
  const excess = Math.min(ms, MAX_CHECK_MS) - ORDINARY_MS - ORDINARY_BYTE_MS * length;
  return Math.max(0, Math.floor(excess / LANES[lane].ms));
}

export const isMeasured = ({ length }: Uint8Array): boolean => length >= LEAST_MEASURED_BYTES;
