/** The live lane: the newest frames, ahead of all that is not handed over yet. Pure. */
import type { StoredFrame } from '../../journal/port.ts';
import { covers } from '../../protocol/coverage.ts';
import { isLiveAllowed, mostInFlight } from './allowed.ts';
import { type LinkWindow, transmitMs } from './link-window.ts';
import { bytesOf, inFlight, nextBatch, overlaps, shipmentOf, wireBytesOf } from './shipments.ts';
import {
  LIVE_AIM_MS,
  LIVE_WINDOW,
  type LiveLane,
  MAX_LIVE_SAMPLES,
  MAX_WAITING,
  type Memory,
  type Online,
  type UplinkEffect,
  type UplinkSettings,
} from './state.ts';
import { onTheWire } from './wire-bytes.ts';

export const EMPTY_LIVE: LiveLane = { inFlight: [], waiting: [], linger: 'none' };

/** A link that needs less for a message is fast enough not to wait for company, ms. */
const WORTH_A_LINGER_MS = 20;
/** Until the rate is known, and for links of any rate: a frame larger than this is not what people wait for. */
const LIVE_FRAME_BYTES = 2_048;

/** Small frames that are merged take about a third of what they take one by one. */
const MERGED_SHARE = 1 / 3;

/** Bytes of small frames that a link, once they are merged, carries within the live aim. */
function liveBytesWithinAim({ rate, isMeasured }: LinkWindow): number {
  if (rate === null || !isMeasured) return Number.POSITIVE_INFINITY;
  return Math.max(1, (rate * LIVE_AIM_MS) / MERGED_SHARE);
}

/**
 * Adds a fresh frame to the live lane; what no longer fits, or what the link can't carry within the live aim, is left
 * to the backlog, which must then look again. A frame that a read of the journal found before we heard of it is on its
 * way already.
 */
export function queueLive(state: Online, frame: StoredFrame): Online {
  const taken = [...inFlight(state), ...state.live.waiting].some((other) => overlaps(frame, other));
  if (taken || covers(state.memory.acked, frame.firstSeq, frame.lastSeq)) return state;
  if (!isLiveAllowed(state.window.allowed, frame))
    return { ...state, backlog: reopened(state.backlog, frame.firstSeq - 1) };
  const waiting = [...state.live.waiting, frame];
  const most = 2 * liveBytesWithinAim(state.window);
  let bytes = waiting.reduce((sum, one) => sum + one.bytes.length, 0);
  let count = 0;
  // The newest stays, however large.
  for (const one of waiting.slice(0, -1)) {
    if (waiting.length - count <= MAX_WAITING && bytes <= most) break;
    bytes -= one.bytes.length;
    count += 1;
  }
  const [oldest] = waiting.splice(0, count);
  return {
    ...state,
    live: { ...state.live, waiting },
    backlog: oldest === undefined ? state.backlog : reopened(state.backlog, oldest.firstSeq - 1),
  };
}

/** Leaves to the backlog what waits and may not go any more. */
export function leaveForbidden(state: Online): Online {
  const isAllowed = (frame: StoredFrame) => isLiveAllowed(state.window.allowed, frame);
  const oldest = state.live.waiting.find((frame) => !isAllowed(frame));
  if (oldest === undefined) return state;
  return {
    ...state,
    live: { ...state.live, waiting: state.live.waiting.filter(isAllowed) },
    backlog: reopened(state.backlog, oldest.firstSeq - 1),
  };
}

function reopened(backlog: Online['backlog'], cursor: number): Online['backlog'] {
  return {
    ...backlog,
    exhausted: false,
    cursor: backlog.stage === 'oldest' ? Math.min(backlog.cursor, cursor) : backlog.cursor,
  };
}

/** Whether a frame of the journal is small enough to be sent ahead of the backlog. */
export function isLiveSized({ rate }: LinkWindow, frame: StoredFrame): boolean {
  const samples = frame.lastSeq - frame.firstSeq + 1;
  if (samples > MAX_LIVE_SAMPLES) return false;
  const most = rate === null ? LIVE_FRAME_BYTES : Math.max(LIVE_FRAME_BYTES, rate * LIVE_AIM_MS);
  return frame.bytes.length <= most;
}

export type LiveContext = {
  readonly memory: Memory;
  readonly limits: Online['limits'];
  readonly settings: UplinkSettings;
  readonly window: LinkWindow;
  /** Frames that may be in flight. */
  readonly maxFrames: number;
};

/** Sends what waits in the live lane, as far as there is room. */
export function pumpLive(live: LiveLane, context: LiveContext): readonly [LiveLane, UplinkEffect[]] {
  const { memory, limits, settings, window, maxFrames } = context;
  const { connection } = memory;
  const effects: UplinkEffect[] = [];
  let { inFlight: flying, waiting, linger } = live;
  const mayShare = { ...limits, maxBytes: liveBytesWithinAim(window) };
  // While places are free each frame goes at once; gathering only slows what has already had to wait.
  const waits = () => linger === 'transmitting' || (linger === 'gathering' && waiting.length > 1);
  while (waiting.length > 0 && flying.length < maxFrames && !waits()) {
    const shipment = shipmentOf(nextBatch(waiting, mayShare));
    const bytes = bytesOf(shipment);
    if (flying.length > 0 && wireBytesOf(flying) + onTheWire(bytes) > window.liveBytes) break;
    effects.push({ type: 'deliver', connection, lane: 'live', shipment, limits });
    waiting = waiting.slice(shipment.frames.length);
    flying = [...flying, shipment];
    if (linger !== 'none') continue;
    const busyMs = Math.min(LIVE_AIM_MS, Math.round(transmitMs(window, bytes)));
    if (busyMs >= WORTH_A_LINGER_MS) {
      linger = 'transmitting';
      effects.push({ type: 'linger', connection, ms: busyMs });
    } else if (flying.length === maxFrames && settings.liveLingerMs > 0) {
      linger = 'gathering';
      effects.push({ type: 'linger', connection, ms: settings.liveLingerMs });
    }
  }
  return [{ inFlight: flying, waiting, linger }, effects];
}

export function pumpLiveOf(state: Online, settings: UplinkSettings): readonly [LiveLane, UplinkEffect[]] {
  const { memory, limits, window } = state;
  return pumpLive(state.live, {
    memory,
    limits,
    settings,
    window,
    maxFrames: Math.min(LIVE_WINDOW, mostInFlight(window.allowed)),
  });
}
