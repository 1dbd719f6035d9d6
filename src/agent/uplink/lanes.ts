/** Fills the lanes of an open connection: what may be sent now, and what must be read for it. Pure. */
import type { StoredFrame } from '../../journal/journal.ts';
import { type Coverage, cover, covers } from '../../protocol/coverage.ts';
import {
  type BacklogLane,
  LIVE_WINDOW,
  type LiveLane,
  MAX_LIVE_SAMPLES,
  MAX_WAITING,
  type Memory,
  type Online,
  type Shipment,
  type UplinkEffect,
  type UplinkSettings,
} from './state.ts';
import { nextSuspect } from './suspects.ts';

type Seqs = { readonly firstSeq: number; readonly lastSeq: number };

export const EMPTY_LIVE: LiveLane = { inFlight: [], waiting: [], lingering: false };

export const NEW_BACKLOG: BacklogLane = {
  inFlight: [],
  stage: 'notable',
  cursor: 0,
  reading: false,
  exhausted: false,
  skipped: false,
};

export function shipmentOf(frames: readonly StoredFrame[]): Shipment {
  const first = frames[0];
  const last = frames.at(-1);
  if (first === undefined || last === undefined) throw new RangeError('a shipment needs a frame');
  return { firstSeq: first.firstSeq, lastSeq: last.lastSeq, frames };
}

export function overlaps(a: Seqs, b: Seqs): boolean {
  return a.firstSeq <= b.lastSeq && b.firstSeq <= a.lastSeq;
}

/** Everything that is in flight, as it stands. */
export function inFlight(state: Online): readonly Shipment[] {
  const alone = state.alone === null ? [] : [shipmentOf([state.alone.frame])];
  return [...state.live.inFlight, ...state.backlog.inFlight, ...alone];
}

/** Ranges that sealing must leave as they are. */
export function busyRanges(memory: Memory, taken: readonly Seqs[]): (readonly [number, number])[] {
  return [
    ...taken.map((one) => [one.firstSeq, one.lastSeq] as const),
    ...memory.suspects.map(({ frame }) => [frame.firstSeq, frame.lastSeq] as const),
  ].sort((a, b) => a[0] - b[0]);
}

/** What HQ may hold once these are on their way. */
export function withSent(known: Coverage | null, shipments: readonly Seqs[]): Coverage | null {
  if (known === null) return null;
  return shipments.reduce<Coverage>((sum, one) => cover(sum, one.firstSeq, one.lastSeq), known);
}

/**
 * Adds a fresh frame to the live lane; what no longer fits is left to the backlog, which must then look again. A frame
 * that a read of the journal found before we were told of it is on its way already.
 */
export function queueLive(state: Online, frame: StoredFrame): Online {
  const taken = [...inFlight(state), ...state.live.waiting].some((other) => overlaps(frame, other));
  if (taken || covers(state.memory.acked, frame.firstSeq, frame.lastSeq)) return state;
  const waiting = [...state.live.waiting, frame];
  const left = waiting.splice(0, Math.max(0, waiting.length - MAX_WAITING));
  const oldest = left[0];
  const backlog =
    oldest === undefined
      ? state.backlog
      : {
          ...state.backlog,
          exhausted: false,
          cursor:
            state.backlog.stage === 'oldest'
              ? Math.min(state.backlog.cursor, oldest.firstSeq - 1)
              : state.backlog.cursor,
        };
  return { ...state, live: { ...state.live, waiting }, backlog };
}

/** Adjacent frames from the head of the queue that may travel as one message. */
function nextBatch(waiting: readonly StoredFrame[], limits: Online['limits']): readonly StoredFrame[] {
  const batch: StoredFrame[] = [];
  let bytes = 0;
  for (const frame of waiting) {
    const first = batch[0];
    const last = batch.at(-1);
    bytes += frame.bytes.length;
    if (first !== undefined && last !== undefined) {
      const samples = frame.lastSeq - first.firstSeq + 1;
      const mergeable = first.kind === 'data' && frame.kind === 'data' && frame.firstSeq === last.lastSeq + 1;
      const fits =
        samples <= Math.min(MAX_LIVE_SAMPLES, limits.maxFrameSamples) && bytes <= limits.maxFrameBytes;
      if (!mergeable || !fits) break;
    }
    batch.push(frame);
  }
  return batch;
}

/** Sends what waits in the live lane, as far as there is room. */
export function pumpLive(
  live: LiveLane,
  context: { memory: Memory; limits: Online['limits']; settings: UplinkSettings; window: number },
): readonly [LiveLane, UplinkEffect[]] {
  const { memory, limits, settings, window } = context;
  const { connection } = memory;
  const effects: UplinkEffect[] = [];
  let { inFlight: flying, waiting, lingering } = live;
  // While places are free each frame goes at once; the linger only slows what has already had to wait.
  while (waiting.length > 0 && flying.length < window && !(lingering && waiting.length > 1)) {
    const frames = nextBatch(waiting, limits);
    const shipment = shipmentOf(frames);
    effects.push({ type: 'deliver', connection, lane: 'live', shipment, limits });
    waiting = waiting.slice(frames.length);
    flying = [...flying, shipment];
    if (flying.length === window && !lingering && settings.liveLingerMs > 0) {
      lingering = true;
      effects.push({ type: 'linger', connection, ms: settings.liveLingerMs });
    }
  }
  return [{ inFlight: flying, waiting, lingering }, effects];
}

/** Backlog frames that may still be sent now. */
function room(state: Online, settings: UplinkSettings): number {
  return Math.min(state.credit, settings.maxInFlight) - state.backlog.inFlight.length;
}

function pumpBacklog(state: Online, settings: UplinkSettings): readonly [Online, UplinkEffect[]] {
  const { backlog, memory } = state;
  const limit = room(state, settings);
  if (limit <= 0 || backlog.reading) return [state, []];
  if (backlog.exhausted) {
    // What waits in the live lane, or is suspected, would be passed over again; and reading for nothing, without a pause,
    // keeps the linger from ending and the suspicion from being settled.
    const isIdle = [inFlight(state), state.live.waiting, memory.suspects].every(({ length }) => length === 0);
    if (!backlog.skipped || !isIdle) return [state, []];
    const again: BacklogLane = { ...backlog, cursor: 0, exhausted: false, skipped: false };
    return pumpBacklog({ ...state, backlog: again }, settings);
  }
  return [
    { ...state, backlog: { ...backlog, reading: true } },
    [{ type: 'read', connection: memory.connection, what: backlog.stage, after: backlog.cursor, limit }],
  ];
}

/** A suspect travels alone, so that a disconnect speaks about it and nothing else; live frames take turns with it. */
function pumpSuspects(state: Online, settings: UplinkSettings): readonly [Online, UplinkEffect[]] {
  const suspect = nextSuspect(state.memory);
  if (suspect === undefined || inFlight(state).length > 0) return [state, []];
  const { memory, limits } = state;
  if (state.turn === 'live' && state.live.waiting.length > 0) {
    const [live, effects] = pumpLive(
      { ...state.live, lingering: false },
      { memory, limits, settings, window: 1 },
    );
    return [{ ...state, live, turn: 'suspect' }, effects];
  }
  const shipment = shipmentOf([suspect.frame]);
  return [
    { ...state, alone: suspect, turn: 'live' },
    [{ type: 'deliver', connection: memory.connection, lane: 'backlog', shipment, limits }],
  ];
}

/** Everything that may be done now. Idempotent: called after each change. */
export function pump(state: Online, settings: UplinkSettings): readonly [Online, UplinkEffect[]] {
  // A suspect travels in the backlog lane. Without credit it stays where it is, and has nothing to do with what else is lost.
  if (nextSuspect(state.memory) !== undefined && (state.credit > 0 || state.alone !== null))
    return sent(pumpSuspects(state, settings));
  const { memory, limits } = state;
  const [live, liveEffects] = pumpLive(state.live, { memory, limits, settings, window: LIVE_WINDOW });
  const [next, effects] = pumpBacklog({ ...state, live }, settings);
  return sent([next, [...liveEffects, ...effects]]);
}

function sent([state, effects]: readonly [Online, UplinkEffect[]]): readonly [Online, UplinkEffect[]] {
  const shipments = effects.flatMap((effect) => (effect.type === 'deliver' ? [effect.shipment] : []));
  if (shipments.length === 0) return [state, effects];
  return [{ ...state, memory: { ...state.memory, known: withSent(state.memory.known, shipments) } }, effects];
}

/** Takes up what a read of the backlog found; leaves out what is on its way, waits in the live lane, or is at HQ already. */
export function takeBacklog(
  state: Online,
  found: { frames: readonly StoredFrame[]; exhausted: boolean },
  settings: UplinkSettings,
): readonly [Online, UplinkEffect[]] {
  const { memory, limits } = state;
  const taken: readonly Seqs[] = [
    ...inFlight(state),
    ...state.live.waiting,
    ...memory.suspects.map((suspect) => suspect.frame),
  ];
  const shipments: Shipment[] = [];
  let { cursor, skipped } = state.backlog;
  let full = false;
  for (const frame of found.frames) {
    if (taken.some((other) => overlaps(frame, other))) {
      // Covered only in part by what is on its way: it may have to go itself, once that has arrived.
      skipped = true;
    } else if (!covers(memory.acked, frame.firstSeq, frame.lastSeq)) {
      if (shipments.length >= room(state, settings)) {
        full = true;
        break;
      }
      shipments.push(shipmentOf([frame]));
    }
    cursor = frame.lastSeq;
  }
  const ended = found.exhausted && !full;
  const notableDone = ended && state.backlog.stage === 'notable';
  const backlog: BacklogLane = {
    inFlight: [...state.backlog.inFlight, ...shipments],
    stage: notableDone ? 'oldest' : state.backlog.stage,
    cursor: notableDone ? 0 : cursor,
    reading: false,
    exhausted: ended && !notableDone,
    skipped,
  };
  const effects = shipments.map(
    (shipment): UplinkEffect => ({
      type: 'deliver',
      connection: memory.connection,
      lane: 'backlog',
      shipment,
      limits,
    }),
  );
  return sent([{ ...state, backlog }, effects]);
}
