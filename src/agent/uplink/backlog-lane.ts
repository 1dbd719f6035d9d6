/**
 * The backlog lane: what is anomalous first, then the oldest first, in frames that the link carries in a moment. Pure.
 */
import type { StoredFrame } from '../../journal/port.ts';
import { type Coverage, missingWithin, type SeqRange } from '../../protocol/coverage.ts';
import { FrameError, MAX_FRAME_SAMPLES } from '../../protocol/frame.ts';
import { piecesOf, readHeader, splitDownsampled } from '../../protocol/frame-codec.ts';
import { mostInFlight } from './allowed.ts';
import { afterSending, hasRoomFor } from './link-window.ts';
import { bytesOf, inFlight, nextBatch, overlaps, shipmentOf, wireBytesOf } from './shipments.ts';
import type { BacklogLane, Online, Outgoing, Seqs, UplinkEffect, UplinkSettings } from './state.ts';

export const NEW_BACKLOG: BacklogLane = {
  inFlight: [],
  stage: 'notable',
  ready: [],
  cursor: 0,
  reading: false,
  exhausted: false,
  pausing: false,
  skipped: false,
};

type Result = readonly [Online, UplinkEffect[]];

/** Frames of the journal that one read may find; small ones are merged for the link. */
const READ_FRAMES = 64;
const LEAST_READ_BYTES = 64 * 1024;
/**
 * A frame is cut when it is larger than it should be by this factor: a little more is not worth the work. Two of them
 * have to fit.
 */
const CUT_FROM = 1.05;
/** While only what is anomalous may go, hardly more of a frame than that does. */
const NOTABLE_BYTES = 1_024;
/** Pieces cut at a time: what follows may be cut for a link that is known better. */
const MAX_PIECES = 4;

/** Backlog frames that may still be sent now. */
function freePlaces({ credit, backlog, window }: Online, settings: UplinkSettings): number {
  return (
    Math.min(credit.frames, settings.maxInFlight, mostInFlight(window.allowed)) - backlog.inFlight.length
  );
}

/** Whether the link, and HQ, have room for so many bytes more. What waits in the live lane goes first. */
function hasRoom(state: Online, bytes: number): boolean {
  const { backlog, credit, window, live } = state;
  if (live.waiting.length > 0) return false;
  const backlogBytes = backlog.inFlight.reduce((sum, one) => sum + bytesOf(one), 0);
  if (backlogBytes > 0 && backlogBytes + bytes > credit.bytes) return false;
  const shipments = inFlight(state);
  const taken = { bytes: wireBytesOf(shipments), backlogBytes: wireBytesOf(backlog.inFlight) };
  return hasRoomFor(window, taken, bytes);
}

/** Whether the stage may go now: what is anomalous may when nothing else of the backlog does. */
function mayGo({ backlog, window: { allowed } }: Online): boolean {
  return allowed.backlog || (backlog.stage === 'notable' && allowed.late);
}

/** Sends what is ready, as far as there is room, and reads on when nothing is left. */
export function pumpBacklog(start: Online, settings: UplinkSettings): Result {
  if (!mayGo(start)) return [start, []];
  let state = start;
  const effects: UplinkEffect[] = [];
  while (freePlaces(state, settings) > 0) {
    state = prepareNext(state);
    const { backlog, limits, memory } = state;
    const taken = takenOf(state);
    const frames = nextBatch(backlog.ready, {
      ...limits,
      maxBytes: pieceBytesOf(state),
      // Only the head has been prepared: what is on its way or at HQ already must not go along with it.
      mayJoin: (frame) => isUntouched(frame, { acked: memory.acked, taken }),
    });
    if (frames.length === 0) break;
    const shipment = shipmentOf(frames);
    if (!hasRoom(state, bytesOf(shipment))) return [state, effects];
    if (state.window.pauseMs > 0) {
      const [paused, pauses] = pause(state);
      return [paused, [...effects, ...pauses]];
    }
    effects.push({ type: 'deliver', connection: memory.connection, lane: 'backlog', shipment, limits });
    const ready = backlog.ready.slice(frames.length);
    const window = afterSending(state.window, bytesOf(shipment));
    state = { ...state, window, backlog: { ...backlog, inFlight: [...backlog.inFlight, shipment], ready } };
  }
  const [next, reads] = readOn(state, settings);
  return [next, [...effects, ...reads]];
}

/** There is room, but what has been handed over is not through yet at the pace of the link. */
function pause(state: Online): Result {
  const { backlog, window, memory } = state;
  if (backlog.pausing) return [state, []];
  const { connection } = memory;
  return [
    { ...state, backlog: { ...backlog, pausing: true } },
    [{ type: 'pause', connection, ms: Math.ceil(window.pauseMs) }],
  ];
}

function readOn(state: Online, settings: UplinkSettings): Result {
  const { backlog, memory } = state;
  if (backlog.ready.length > 0 || backlog.reading || freePlaces(state, settings) <= 0) return [state, []];
  if (backlog.exhausted) {
    if (backlog.stage === 'notable' && !state.window.allowed.backlog) return [state, []];
    if (backlog.stage === 'notable')
      return readOn(
        { ...state, backlog: { ...backlog, stage: 'oldest', cursor: 0, exhausted: false } },
        settings,
      );
    // What waits in the live lane, or is suspected, would be passed over again; and reading for nothing, without a
    // pause, keeps the linger from ending and the suspicion from being settled.
    const isIdle = [inFlight(state), state.live.waiting, memory.suspected].every(
      ({ length }) => length === 0,
    );
    if (!backlog.skipped || !isIdle) return [state, []];
    return readOn(
      { ...state, backlog: { ...backlog, cursor: 0, exhausted: false, skipped: false } },
      settings,
    );
  }
  const { connection } = memory;
  const maxBytes = Math.max(LEAST_READ_BYTES, Math.round(state.window.bytes));
  return [
    { ...state, backlog: { ...backlog, reading: true } },
    [{ type: 'read', connection, what: backlog.stage, after: backlog.cursor, limit: READ_FRAMES, maxBytes }],
  ];
}

/** Takes up what a read found. */
export function takeBacklog(
  state: Online,
  found: { readonly frames: readonly StoredFrame[]; readonly exhausted: boolean },
): Online {
  const { backlog } = state;
  return {
    ...state,
    backlog: {
      ...backlog,
      ready: [...backlog.ready, ...found.frames],
      cursor: found.frames.at(-1)?.lastSeq ?? backlog.cursor,
      reading: false,
      exhausted: found.exhausted,
    },
  };
}

/**
 * Makes the first frame that is ready one that may go: leaves out what is on its way, waits in the live lane, is
 * suspected, or is at HQ already, and cuts it when it is too large for the link.
 */
function prepareNext(state: Online): Online {
  const { backlog, memory } = state;
  const pieceBytes = pieceBytesOf(state);
  const taken = takenOf(state);
  let { ready, skipped } = backlog;
  for (let head = ready[0]; head !== undefined; head = ready[0]) {
    const unacked = missingWithin(memory.acked, head.firstSeq, head.lastSeq);
    const overlapping = taken.filter((one) => overlaps(one, head as Outgoing));
    const missing = wantedOf(head, { unacked, overlapping });
    skipped ||= overlapping.length > 0;
    const isWhole = missing.length === 1 && covered(missing, head);
    if (isWhole && head.isUncut !== true && !isTooLarge(head, pieceBytes)) break;
    const rest = ready.slice(1);
    const maxBytes = evenly(head, { ranges: missing, pieceBytes });
    // What is normal of a frame that holds an anomaly has its turn with the oldest.
    const onlyNotable = backlog.stage === 'notable';
    const parts = missing.length === 0 ? [] : partsOf(head, { ranges: missing, maxBytes, onlyNotable });
    if (parts === null && overlapping.length === 0) {
      ready = [{ ...head, cutFor: pieceBytes }, ...rest];
      break;
    }
    ready = [...(parts ?? []), ...rest];
  }
  return { ...state, backlog: { ...backlog, ready, skipped } };
}

/** Bytes that the next frame may have. */
function pieceBytesOf({ backlog, window: { allowed, pieceBytes } }: Online): number {
  const isOnlyNotable = backlog.stage === 'notable' && !allowed.backlog;
  return isOnlyNotable ? Math.min(pieceBytes, NOTABLE_BYTES) : pieceBytes;
}

/** What is on its way, waits in the live lane, or is suspected. */
function takenOf(state: Online): readonly Seqs[] {
  const suspected = state.memory.suspected.map(({ frame }) => frame);
  return [...inFlight(state), ...state.live.waiting, ...suspected];
}

function isUntouched(
  frame: Seqs,
  { acked, taken }: { readonly acked: Coverage; readonly taken: readonly Seqs[] },
): boolean {
  return (
    covered(missingWithin(acked, frame.firstSeq, frame.lastSeq), frame) &&
    !taken.some((one) => overlaps(one, frame))
  );
}

/**
 * What is to be sent of a frame: only of samples can a part be sent, all else goes whole, or waits for what overlaps
 * it.
 */
function wantedOf(
  { kind, firstSeq, lastSeq }: Outgoing,
  { unacked, overlapping }: { readonly unacked: readonly SeqRange[]; readonly overlapping: readonly Seqs[] },
): readonly SeqRange[] {
  if (kind === 'data') return outside(unacked, overlapping);
  return unacked.length === 0 || overlapping.length > 0 ? [] : [[firstSeq, lastSeq]];
}

/** Parts of one size: a small rest costs headers like a large one. */
function evenly(
  head: Outgoing,
  { ranges, pieceBytes }: { readonly ranges: readonly SeqRange[]; readonly pieceBytes: number },
): number {
  const samples = ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
  const held = head.isUncut === true && head.whole !== undefined ? head.whole : head;
  const wanted = (head.bytes.length * samples) / (held.lastSeq - held.firstSeq + 1);
  const parts = Math.max(1, Math.ceil(wanted / (CUT_FROM * pieceBytes)));
  if (parts > MAX_PIECES) return pieceBytes;
  return Math.ceil(Math.min(pieceBytes, wanted / parts) * CUT_FROM);
}

/**
 * A frame is cut again only for a link that has become much slower: what cannot be cut further is not tried each time.
 */
function isTooLarge({ bytes, cutFor }: Outgoing, pieceBytes: number): boolean {
  return bytes.length > CUT_FROM * pieceBytes && (cutFor === undefined || pieceBytes < cutFor / 2);
}

type CutOptions = {
  readonly ranges: readonly SeqRange[];
  readonly maxBytes: number;
  readonly onlyNotable: boolean;
};

/** In seq order; null where it cannot be cut or read: HQ says what is wrong with it. */
function partsOf(frame: Outgoing, { ranges, maxBytes, onlyNotable }: CutOptions): readonly Outgoing[] | null {
  const whole = frame.whole ?? { firstSeq: frame.firstSeq, lastSeq: frame.lastSeq };
  try {
    if (frame.kind === 'data') {
      const cut = piecesOf(frame.bytes, { ranges, maxBytes, maxPieces: MAX_PIECES, onlyNotable });
      const { isUncut: _, ...own } = frame;
      return [
        ...cut.pieces.map((piece) => ({ ...own, ...piece, whole, cutFor: maxBytes })),
        ...cut.rest.map(([firstSeq, lastSeq]) => ({
          ...frame,
          firstSeq,
          lastSeq,
          whole,
          isUncut: true,
        })),
      ];
    }
    if (frame.kind === 'gap' || !covered(ranges, frame)) return null;
    return splitDownsampled(frame.bytes, { maxBytes, maxRows: MAX_FRAME_SAMPLES }).map((bytes) => {
      const { firstSeq, count } = readHeader(bytes);
      return { ...frame, firstSeq, lastSeq: firstSeq + count - 1, bytes, whole, cutFor: maxBytes };
    });
  } catch (error) {
    if (error instanceof FrameError) return null;
    throw error;
  }
}

function covered(ranges: readonly SeqRange[], { firstSeq, lastSeq }: Seqs): boolean {
  const [only] = ranges;
  return only !== undefined && only[0] === firstSeq && only[1] === lastSeq;
}

/** The parts of `ranges` that none of `taken` touches, in order. */
function outside(ranges: readonly SeqRange[], taken: readonly Seqs[]): readonly SeqRange[] {
  return taken.reduce<readonly SeqRange[]>(
    (left, { firstSeq, lastSeq }) =>
      left.flatMap(([first, last]): SeqRange[] => {
        if (lastSeq < first || firstSeq > last) return [[first, last]];
        const parts: SeqRange[] = [];
        if (first < firstSeq) parts.push([first, firstSeq - 1]);
        if (last > lastSeq) parts.push([lastSeq + 1, last]);
        return parts;
      }),
    ranges,
  );
}

/** Whether backlog waits that may not go now: it is not read, so only the count of what is pending tells. */
export function isHeldBack(
  { backlog, live, window }: Pick<Online, 'backlog' | 'live' | 'window'>,
  pending: number,
): boolean {
  if (window.allowed.backlog) return false;
  const inLiveLane = [...live.inFlight, ...live.waiting].reduce(
    (sum, { firstSeq, lastSeq }) => sum + lastSeq - firstSeq + 1,
    0,
  );
  return pending > inLiveLane || backlog.ready.length > 0;
}
