/** What answers show of the way to HQ. Pure. */
import type { Measures } from './state.ts';

/** Weight of the newest round trip in the smoothed one, as TCP has it (RFC 6298). */
const RTT_WEIGHT = 1 / 8;

export function roundTripTaken(measures: Measures, { rttMs }: { readonly rttMs: number }): Measures {
  const before = measures.rttMs;
  return { ...measures, rttMs: before === null ? rttMs : before + (rttMs - before) * RTT_WEIGHT };
}

export function withClocks(
  measures: Measures,
  { hqTs, sentTs, rttMs }: { readonly hqTs: number; readonly sentTs: number; readonly rttMs: number },
): Measures {
  // HQ read its clock halfway through the round trip, as far as anyone can tell.
  return { ...measures, clockOffsetMs: Math.round(sentTs + rttMs / 2 - hqTs) };
}
