/** What may be in flight on the link, and how large its frames may be. Derived from the estimate; pure. */
import type { Allowed } from './allowed.ts';
import { isLifted, type LinkEstimate, rateOf } from './link-estimate.ts';
import { onTheWire, payloadWithin } from './wire-bytes.ts';

export type LinkWindow = {
  /** Bytes on the wire that may be in flight when a backlog frame is added. */
  readonly bytes: number;
  /** Bytes on the wire of backlog frames that may be in flight in any case: two of the least size. */
  readonly leastBytes: number;
  /** Bytes on the wire of live frames that may be in flight. */
  readonly liveBytes: number;
  /** Bytes that a backlog frame may have. */
  readonly pieceBytes: number;
  /** Bytes per ms; null before anything was answered. */
  readonly rate: number | null;
  /**
   * At what rate backlog may be handed over, bytes on the wire per ms; infinite where a burst makes no queue to speak
   * of.
   */
  readonly pace: number;
  /** Until the next backlog frame may be handed over, ms. */
  readonly pauseMs: number;
  /** Whether the rate is more than a lower bound. */
  readonly isMeasured: boolean;
  /** What may go at all. */
  readonly allowed: Allowed;
};

export type WindowOptions = {
  /** Queueing delay that the backlog may cause, ms. */
  readonly queueTargetMs: number;
  /** Backlog frames that may be in flight. */
  readonly maxFrames: number;
  /** The scheduler's clock, ms. */
  readonly now: number;
  /** When what was handed over is through at its pace, on that clock. */
  readonly pacedUntil: number;
  readonly allowed: Allowed;
};

/**
 * The least frame, by what a sample may cost on the wire: headers and compression make small ones dear. Some ten
 * samples of 17 series on the slowest links (≤ 30 bytes each), twenty-five from 9.6 kbit/s (≤ 20), ninety from 20
 * kbit/s (≤ 13). No larger: a live frame waits for the one that is being sent.
 */
const SMALLEST_BYTES = 340;
const SMALL_BYTES = 420;
const MEDIUM_BYTES = 1_000;
/** Bytes per ms: below 9.6 kbit/s, since estimates may be low. */
const SMALL_FROM = 0.8;
const LEAST_FRAME_MS = 420;
/** Of the queue target: what one frame of a steady backlog takes. */
const FRAME_SHARE = 0.5;
/**
 * In flight beyond what is in the way: the frame that is being sent, and one for which there is just no room. Large
 * ones take long.
 */
const SPARE_FRAMES = 2;
const SPARE_LARGE_FRAMES = 1.6;
/**
 * Of what is in the way, while its queue drains so that the round trip can be seen again: most of it over a long way.
 */
const DRAINED = 0.5;
const DRAINED_PACED = 0.75;
/**
 * Two frames fit in any case, each a little larger than it should be: with one at a time a short way is idle while its
 * ack comes.
 */
const LEAST_FRAMES = 2.1;
/**
 * Growth in each round trip, in flight and in pace. BBR and slow start double; the queue where that ends is as long as
 * a round trip, and live frames wait in it.
 */
const STARTUP_GAIN = 1.5;
/** Of the rate. Over a long way a burst would stand in its queue for long. */
const STEADY_PACE = 1.25;
/** Of the queue target: over ways that are shorter what is in flight bounds the queue. */
const PACED_FROM = 0.5;
/** Of what a data budget leaves for backlog. */
const ROOM_FRAMES = 4;
/** Until the rate is known: what fits the slowest links. */
const FIRST_LIVE_FRAMES = 4;
const LIVE_FRAME_BYTES = 170;
const LARGEST_BYTES = 256 * 1024;

/** Bytes a backlog frame should have at least. */
export function leastFrameBytes(rate: number | null): number {
  if (rate === null) return SMALL_BYTES;
  if (rate < SMALL_FROM) return SMALLEST_BYTES;
  return Math.min(MEDIUM_BYTES, Math.max(SMALL_BYTES, rate * LEAST_FRAME_MS));
}

export function windowOf(estimate: LinkEstimate, options: WindowOptions): LinkWindow {
  const { queueTargetMs, maxFrames, now, pacedUntil, allowed } = options;
  const rate = presentRate(estimate, { queueTargetMs, now });
  const leastFrame = leastFrameBytes(rate);
  const least = onTheWire(leastFrame);
  if (rate === null)
    return {
      bytes: 2 * least,
      leastBytes: 2 * least,
      liveBytes: FIRST_LIVE_FRAMES * LIVE_FRAME_BYTES,
      pieceBytes: leastFrame,
      rate,
      pace: Number.POSITIVE_INFINITY,
      pauseMs: 0,
      isMeasured: false,
      allowed,
    };
  const roundTripMs = estimate.least?.ms ?? 0;
  const inTheWay = rate * roundTripMs;
  // Frames so large that their number does not bound what is in flight, and so small that live ones need not wait long
  // for one.
  const target = rate * queueTargetMs;
  const growth = estimate.phase.kind === 'startup' ? STARTUP_GAIN : 1;
  const grown = Math.max(inTheWay + target, growth * inTheWay);
  const pace = paceOf(estimate, { rate, queueTargetMs });
  // A link that has never been filled is faster than that: what it carries in the target is not cut.
  const share = estimate.isMeasured || Number.isFinite(pace) ? FRAME_SHARE : 1;
  const piece = Math.max(least, share * target, grown / Math.max(2, maxFrames - 1));
  const spare = (least > FRAME_SHARE * target ? SPARE_LARGE_FRAMES : SPARE_FRAMES) * piece;
  const steady = Math.max(LEAST_FRAMES * piece, inTheWay + spare);
  // A frame that takes long is more than enough to spare.
  const filling = isLifted(estimate) && piece <= target ? steady + piece : steady;
  const window = estimate.phase.kind === 'startup' ? Math.max(steady, grown) : filling;
  const live = rate * (roundTripMs + queueTargetMs);
  return {
    bytes:
      estimate.phase.kind === 'probing'
        ? Math.max(least, inTheWay * (Number.isFinite(pace) ? DRAINED_PACED : DRAINED))
        : window,
    leastBytes: estimate.phase.kind === 'probing' ? least : 2 * least,
    liveBytes: Math.max(
      estimate.isMeasured ? 2 * LIVE_FRAME_BYTES : FIRST_LIVE_FRAMES * LIVE_FRAME_BYTES,
      live,
    ),
    pieceBytes: Math.floor(Math.min(LARGEST_BYTES, Math.max(leastFrame, payloadWithin(piece)))),
    rate,
    pace,
    pauseMs: Number.isFinite(pace) ? Math.max(0, pacedUntil - now) : 0,
    isMeasured: estimate.isMeasured,
    allowed,
  };
}

/**
 * The same for a link that may carry `room` bytes of backlog: in several frames, so that what one has cost is known
 * before the last.
 */
export function boundedBy(window: LinkWindow, room: number): LinkWindow {
  const piece = Math.max(leastFrameBytes(window.rate), Math.floor(room / ROOM_FRAMES));
  return {
    ...window,
    bytes: Math.min(window.bytes, room),
    pieceBytes: Math.min(window.pieceBytes, piece),
  };
}

function paceOf(
  { phase, least }: LinkEstimate,
  { rate, queueTargetMs }: { readonly rate: number; readonly queueTargetMs: number },
): number {
  const roundTripMs = least?.ms ?? 0;
  if (roundTripMs < PACED_FROM * queueTargetMs) return Number.POSITIVE_INFINITY;
  return (
    rate * (phase.kind === 'startup' ? Math.max(STARTUP_GAIN, 1 + queueTargetMs / roundTripMs) : STEADY_PACE)
  );
}

/**
 * The estimated rate, less when the next answer is overdue: nobody has to wait for it to see that the link has slowed
 * down.
 */
function presentRate(
  estimate: LinkEstimate,
  { queueTargetMs, now }: { readonly queueTargetMs: number; readonly now: number },
): number | null {
  const rate = rateOf(estimate);
  const [oldest] = estimate.flights.values();
  if (rate === null || oldest === undefined) return rate;
  const roundTripMs = estimate.least?.ms ?? 0;
  const silentMs = now - Math.max(estimate.deliveredAt, oldest.sentAt + roundTripMs);
  const overdue = silentMs > oldest.bytes / rate + 2 * queueTargetMs;
  return overdue ? Math.min(rate, oldest.bytes / silentMs) : rate;
}

export type InFlight = {
  /** Bytes on the wire of everything, and of backlog frames alone. */
  readonly bytes: number;
  readonly backlogBytes: number;
};

/** What is left of the window once a frame of so many bytes has been handed over. */
export function afterSending(window: LinkWindow, bytes: number): LinkWindow {
  return Number.isFinite(window.pace)
    ? { ...window, pauseMs: window.pauseMs + onTheWire(bytes) / window.pace }
    : window;
}

/** Whether a backlog frame of so many bytes may be added to what is in flight; `pauseMs` is apart from that. */
export function hasRoomFor(window: LinkWindow, inFlight: InFlight, bytes: number): boolean {
  const wireBytes = onTheWire(bytes);
  if (inFlight.bytes + wireBytes <= window.bytes) return true;
  if (inFlight.backlogBytes + wireBytes <= window.leastBytes) return true;
  // What cannot be cut any further goes alone, or it would never go.
  return inFlight.backlogBytes === 0 && wireBytes > window.leastBytes / 2;
}

/** How long the link needs for a message of so many bytes, ms; 0 while its rate is only a lower bound. */
export function transmitMs({ rate, isMeasured }: LinkWindow, bytes: number): number {
  return rate === null || !isMeasured ? 0 : onTheWire(bytes) / rate;
}
