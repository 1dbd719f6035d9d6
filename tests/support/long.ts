/** What `npm run test:long` does in full, `npm test` does in small, and without judging times. */
import { expect } from 'vitest';

/** Whether this is `npm run test:long`: it takes its time, and has the machine to itself. */
export const long = process.env.TEST_LONG === 'true';

/** A size for `npm test`, and the one in full. */
export const sized = <T>(small: T, full: T): T => (long ? full : small);

/** Holds a time to its bound where the machine is the test's own. Elsewhere it would say how busy the machine is. */
export function expectWithin(tookMs: number, boundMs: number, what?: string): void {
  if (long) expect(tookMs, what).toBeLessThan(boundMs);
}
