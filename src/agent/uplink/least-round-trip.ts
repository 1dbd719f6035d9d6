/**
 * Round trips of messages of different sizes: a larger one takes longer on a slow link without having waited in a
 * queue. Pure.
 */
import type { RoundTrip } from './link.ts';

export type TimedTrip = RoundTrip & { readonly at: number };

/** What two small round trips may differ by without a slow link: of the shorter one, and ms. */
const JITTER = 0.05;
const JITTER_MS = 15;

/** Of the bytes of the smaller one: what is hardly larger takes hardly longer. */
const LARGER = 1.5;
/** Over shorter ways a few round trips more are nothing, and HQ's commits take as long, ms. */
const FAR_MS = 125;

export type KnownLink = {
  /** The least round trip that was seen. */
  readonly least: TimedTrip | null;
  /** Bytes per ms; null before anything was answered. */
  readonly rate: number | null;
};

/** What the trip would have taken with as few bytes as the least one, which it does not undercut by this. */
export function asLargeAs(trip: TimedTrip, { least, rate }: KnownLink): TimedTrip {
  if (least === null || rate === null || trip.bytes <= least.bytes || trip.ms <= least.ms) return trip;
  const ms = Math.max(least.ms, trip.ms - (trip.bytes - least.bytes) / rate);
  return { ...trip, ms, bytes: least.bytes };
}

/** How long it waited, ms; 0 while the link is not known. */
export function queueingDelay(trip: RoundTrip, { least, rate }: KnownLink): number {
  if (least === null || rate === null) return 0;
  const more = Math.max(0, trip.bytes - least.bytes);
  return Math.max(0, trip.ms - least.ms - more / rate);
}

/** Whether the larger one took longer for its size, over a long way. */
export function isTelling(smaller: RoundTrip, larger: RoundTrip): boolean {
  return smaller.ms >= FAR_MS && larger.bytes >= LARGER * smaller.bytes && larger.ms > smaller.ms;
}

/** What more bytes took longer, bytes per ms: a lower bound of the rate, whatever else the larger one waited for. */
export function rateBetween(smaller: RoundTrip, larger: RoundTrip): number {
  const longerMs = larger.ms - smaller.ms + Math.max(JITTER * smaller.ms, JITTER_MS);
  return Math.max(0, larger.bytes - smaller.bytes) / Math.max(1, longerMs);
}
