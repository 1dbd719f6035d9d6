/** Messages to the logic of an uplink, and what state and effects they lead to. */
import type { StoredFrame } from '../../journal/port.ts';
import type { LinkError } from '../uplink/link.ts';
import { createUplinkLogic } from '../uplink/logic.ts';
import type { UplinkEffect, UplinkMessage, UplinkState } from '../uplink/state.ts';
import { WIDE_WINDOW } from './wide-window.ts';

export const logic = createUplinkLogic({
  maxInFlight: 2,
  liveLingerMs: 100,
  backoffInitialMs: 1_000,
  backoffMaxMs: 60_000,
});
export const CREDIT = { frames: 8, bytes: Number.POSITIVE_INFINITY };
const limits = { maxFrameBytes: 1_000, maxFrameSamples: 100, maxSeries: 10 };

export function frame(firstSeq: number, lastSeq = firstSeq): StoredFrame {
  return { firstSeq, lastSeq, kind: 'data', notable: false, tsMin: 0, tsMax: 0, bytes: new Uint8Array(10) };
}
export const accepted = (contiguous = 0, sampled = 100): UplinkMessage => ({
  type: 'accepted',
  connection: 1,
  ack: { contiguous, ranges: [] },
  credit: CREDIT,
  limits,
  window: WIDE_WINDOW,
  sampled,
  released: 0,
  reconnectMs: null,
});
export const lost = (error: LinkError, jitter = 0.5): UplinkMessage => ({
  type: 'lost',
  connection: 1,
  error,
  at: 500,
  tookMs: 0,
  jitter,
});
export const read = (
  what: 'newest' | 'notable' | 'oldest',
  frames: StoredFrame[],
  exhausted = true,
): UplinkMessage => ({
  type: 'read',
  connection: 1,
  what,
  frames,
  exhausted,
});
export const delivered = (firstSeq: number, contiguous: number): UplinkMessage => ({
  type: 'delivered',
  connection: 1,
  firstSeq,
  ack: { contiguous, ranges: [] },
  credit: CREDIT,
  sampled: 100,
});
export const opened: UplinkMessage = { type: 'opened', connection: 1 };
export const ONLINE = [opened, accepted(), read('newest', []), read('notable', []), read('oldest', [])];

export function reached(...messages: readonly UplinkMessage[]): {
  state: UplinkState;
  effects: readonly UplinkEffect[];
} {
  let [state, effects] = logic.initial();
  for (const message of messages) [state, effects] = logic.transition(state, message);
  return { state, effects };
}
export const typesOf = (effects: readonly UplinkEffect[]) => effects.map(({ type }) => type);
