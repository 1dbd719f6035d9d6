/** How often a sender that holds no link usually delivers, and what follows from its silence. Pure. */

/** Time between its last deliveries, ms, oldest first. */
export type Rhythm = readonly number[];

export const NO_RHYTHM: Rhythm = [];

/** Deliveries that follow each other faster are one. */
export const ONE_DELIVERY_MS = 1_000;
const REMEMBERED = 12;
/** Taken for usual until two deliveries have been seen. */
const UNKNOWN_MS = 300_000;

/** `pause`: ms since the delivery before; those of less than ONE_DELIVERY_MS are no pauses. */
export function notePause(rhythm: Rhythm, pause: number): Rhythm {
  return [...rhythm, pause].slice(-REMEMBERED);
}

/**
 * The second longest of the pauses that are remembered: those between bursts are its rhythm, and one long pause is an
 * outage. Null before there is one.
 */
export function usualPause(rhythm: Rhythm): number | null {
  const [longest, second] = [...rhythm].sort((a, b) => b - a);
  return second ?? longest ?? null;
}

/** Silence from which on it is late, and silent, ms. */
export function patience(rhythm: Rhythm): { readonly lateMs: number; readonly silentMs: number } {
  const usual = usualPause(rhythm) ?? UNKNOWN_MS;
  return { lateMs: usual * 1.5 + 2_000, silentMs: usual * 5 + 10_000 };
}
