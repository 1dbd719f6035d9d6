import { describe, expect, it } from 'vitest';
import { encodeSamples } from '../frame-codec.ts';
import { hostSamples } from './testing/host-samples.ts';

/** Bytes a sample that a frame of so many host samples may take, header included. */
const LIMITS = [
  { count: 1, limit: 90 },
  { count: 10, limit: 25 },
  { count: 60, limit: 15 },
  { count: 300, limit: 10.5 },
];

describe('the size of a frame of 17 host metrics', () => {
  it.each(LIMITS)('is at most $limit bytes a sample at $count samples', ({ count, limit }) => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const samples = hostSamples(count, seed);
      const bytes = encodeSamples({ epoch: '9f3c0a51d7e2', firstSeq: 2_600_000, samples });
      expect(bytes.length / count).toBeLessThanOrEqual(limit);
    }
  });
});
