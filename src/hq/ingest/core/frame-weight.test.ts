import { expect, it } from 'vitest';
import { checkFrame, encodeSamples } from '../../../protocol/frame-codec.ts';
import { sampleOf } from '../../store/testing/frames.ts';
import { frameWeight } from './frame-weight.ts';

const HOUR_MS = 3_600_000;
const weightOf = (samples: Parameters<typeof encodeSamples>[0]['samples']) =>
  frameWeight(checkFrame(encodeSamples({ epoch: '0102030405ff', firstSeq: 1, samples })));
const anomaly = (series: number) => ({
  series,
  state: 'open' as const,
  startTs: 1,
  peakTs: 1,
  peakValue: 1,
  peakZ: 4,
  mean: 0,
  stddev: 1,
  endTs: null,
});

it('counts an ordinary frame once, and no more', () => {
  expect(weightOf([sampleOf(1), sampleOf(2)])).toBe(0);
  expect(weightOf([sampleOf(1, [anomaly(0), anomaly(1)])])).toBe(0);
});

it('counts what a frame of a few bytes makes HQ write', () => {
  const [first] = [sampleOf(1)];
  expect(weightOf([first, { ...first, ts: first.ts + 40 * HOUR_MS }])).toBe(10);
  const many = Array.from({ length: 4_000 }, (_, index) => anomaly(index % 2));
  expect(weightOf([sampleOf(1, many)])).toBe(1_000);
});
