/**
 * How many bytes frames may occupy: the quota, or less while the disk has no room for it.
 *
 * A commit that finds the disk full is answered by a `trim`: a commit that only removes, after the journal's policy,
 * until a part of what there was is free within the file; from then on the journal keeps to what it has. LMDB can use
 * the pages that a commit frees only in later ones, so making room and using it are two. Where not even the trim gets
 * through nothing is given up. The quota counts again once the storage is no longer short of room; or, where it cannot
 * tell, some time after the last failure.
 */
import type { Clock } from '../../platform/clock.ts';

export type JournalLimit = {
  /** Bytes that frames may occupy now. */
  readonly bytes: () => number;
  /** Whether that is less than the quota, because the disk is full. */
  readonly isLowered: () => boolean;
  /** What a trim has to come down to, of frames that occupy so many bytes. */
  readonly targetFor: (footprint: number) => number;
  /** Where nothing is removed yet: enough for those that come while thinning makes room. */
  readonly marginFor: (footprint: number) => number;
  /** The trim to `target` is durable. */
  readonly noteTrimmed: (target: number) => void;
  /** Goes back to the quota when it may; true when it has. */
  readonly raise: () => boolean;
};

export type JournalLimitOptions = {
  readonly quotaBytes: number;
  readonly clock: Pick<Clock, 'precise'>;
  /** Whether the storage knows that it is short of room. */
  readonly isShort: () => boolean;
  /** Bytes that frames occupy at the start. */
  readonly footprint: number;
};

const LEAST_BYTES = 32 * 1024;
const TRIM_SHARE = 0.05;
const TRIM_BYTES = 256 * 1024;
/** What one commit can remove without holding up the others for long. */
const MOST_TRIM_BYTES = 16 * 2 ** 20;
/** Of a small journal. */
const MOST_TRIM_SHARE = 0.25;
const MARGIN_SHARE = 0.1;
const MARGIN_BYTES = 64 * 1024;
/** Until it is tried whether there is room again. */
const PATIENCE_MS = 10_000;

export function createJournalLimit(options: JournalLimitOptions): JournalLimit {
  const { quotaBytes, clock, isShort } = options;
  const atMost = (bytes: number) => Math.min(quotaBytes, Math.max(LEAST_BYTES, bytes));
  /** Short from the start: an earlier run has used the room that there was. */
  let lowered = isShort() ? atMost(options.footprint) : null;
  let wasShort = lowered !== null;
  let since = clock.precise();
  return {
    bytes: () => lowered ?? quotaBytes,
    isLowered: () => lowered !== null,
    targetFor: (footprint) => {
      const least = Math.min(TRIM_BYTES, footprint * MOST_TRIM_SHARE);
      const trim = Math.min(MOST_TRIM_BYTES, Math.max(footprint * TRIM_SHARE, least));
      return atMost(Math.floor(footprint - trim));
    },
    marginFor: (footprint) =>
      atMost(Math.floor(footprint + Math.max(MARGIN_BYTES, footprint * MARGIN_SHARE))),
    noteTrimmed: (target) => {
      lowered = target;
      wasShort = isShort();
      since = clock.precise();
    },
    raise: () => {
      if (lowered === null) return false;
      const short = isShort();
      wasShort ||= short;
      if (short || (!wasShort && clock.precise() - since < PATIENCE_MS)) return false;
      lowered = null;
      return true;
    },
  };
}
