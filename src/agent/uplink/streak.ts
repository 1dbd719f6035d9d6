/**
 * Answers in a row that waited longer than something: how many, since when, and what was delivered with the first of
 * them.
 */
export type Streak = { readonly count: number; readonly since: number; readonly delivered: number };
export type Arrival = { readonly delivered: number; readonly at: number };

const LATE_ANSWERS = 2;

export const longer = (streak: Streak | null, { delivered, at }: Arrival): Streak =>
  streak === null ? { count: 1, since: at, delivered } : { ...streak, count: streak.count + 1 };

/**
 * Whether the answers of the streak are enough to be judged, and what arrived with them came no faster than `rate`,
 * bytes per ms.
 */
export function arrivesWithin(streak: Streak, { delivered, at }: Arrival, rate: number): boolean {
  if (streak.count < LATE_ANSWERS) return false;
  return delivered - streak.delivered <= rate * (at - streak.since);
}
