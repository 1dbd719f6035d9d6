import { expect, test } from 'vitest';
import { ingestData, ingestFrom } from './ingest-options.ts';

const view = { chaosSpans: [], to: 1_000_000, windowMs: 300_000, zoom: null };
const from = (first: number) => ingestFrom({ ...view, ingest: [{ t: first, samples: 0, bytes: 0 }] });

test('the graph begins with the first point, at least a minute and at most its window ago', () => {
  expect(from(100_000)).toBe(700_000);
  expect(from(800_000)).toBe(800_000);
  expect(from(995_000)).toBe(940_000);
  expect(ingestFrom({ ...view, ingest: [] })).toBe(940_000);
});

test('no line is drawn over the time in which HQ was away', () => {
  const points = [1_000, 2_000, 3_100, 60_000, 61_000].map((t) => ({ t, samples: 4, bytes: 90 }));
  const [t, samples] = ingestData({ ...view, ingest: points });
  expect(t).toEqual([1_000, 2_000, 3_100, 3_101, 60_000, 61_000]);
  expect(samples).toEqual([4, 4, 4, null, 4, 4]);
});
