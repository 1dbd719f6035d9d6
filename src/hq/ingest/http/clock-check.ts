/** Refuses times that are ahead of HQ's clock: seconds, ms and µs are easily taken for one another. */

/** What is wrong with a time, or null. `latestTs`: the latest that is taken. */
export function aheadOfClock(ts: number, latestTs: number): string | null {
  if (ts <= latestTs) return null;
  const [given, latest] = [ts, latestTs].map((one) => new Date(one).toISOString());
  return `${given} is ahead of HQ's clock: the latest time taken now is ${latest} (limits.maxClockAheadMs)`;
}
