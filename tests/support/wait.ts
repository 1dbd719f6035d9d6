/** Waiting for a condition, never for time. */

/** Polls `probe` until it gives something other than undefined, null or false; fails with `what` after `deadlineMs`. */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  { deadlineMs = 240_000, everyMs = 25 } = {},
): Promise<Exclude<T, undefined | null | false>> {
  const end = performance.now() + deadlineMs;
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
    if (performance.now() > end) {
      throw new Error(`waited ${deadlineMs} ms in vain for: ${what}`, { cause: lastError });
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
