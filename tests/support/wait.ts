/** Waiting for a condition, never for time. */

/** The longer a wait, the less an instant more matters; each look costs the test and whom it asks. */
const SHARE_OF_WAIT = 1 / 20;
const [OFTEN_MS, SELDOM_MS] = [25, 100];

/**
 * Polls `probe`, each `everyMs` if given, until it gives something other than undefined, null or false; fails with
 * `what` after `deadlineMs`.
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  { deadlineMs = 240_000, everyMs }: { deadlineMs?: number; everyMs?: number } = {},
): Promise<Exclude<T, undefined | null | false>> {
  const start = performance.now();
  let lastError: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== null && value !== false) {
        return value as Exclude<T, undefined | null | false>;
      }
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    const waitedMs = performance.now() - start;
    if (waitedMs > deadlineMs) {
      throw new Error(`waited ${deadlineMs} ms in vain for: ${what}`, { cause: lastError });
    }
    const pauseMs = everyMs ?? Math.min(Math.max(OFTEN_MS, waitedMs * SHARE_OF_WAIT), SELDOM_MS);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
