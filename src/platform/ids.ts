/** Fresh identifiers. */
import { randomBytes } from 'node:crypto';
import type { Random } from './random.ts';

export type Ids = {
  /** `bytes` random bytes as lower-case hex. */
  readonly hex: (bytes: number) => string;
};

export const systemIds: Ids = { hex: (bytes) => randomBytes(bytes).toString('hex') };

/** Reproducible ids for tests and simulations. */
export function seededIds(random: Random): Ids {
  return {
    hex: (bytes) =>
      Array.from({ length: bytes }, () =>
        Math.floor(random.next() * 256)
          .toString(16)
          .padStart(2, '0'),
      ).join(''),
  };
}
