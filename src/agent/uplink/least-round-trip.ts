/** Round trips of messages of different sizes: a larger one takes longer on a slow link without having waited in a queue. Pure. */
import type { RoundTrip } from './link.ts';

export type TimedTrip = RoundTrip & { readonly at: number };

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
