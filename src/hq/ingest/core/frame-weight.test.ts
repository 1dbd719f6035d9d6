import { expect, it } from 'vitest';
import { checkFrame, encodeSamples } from '../../../protocol/frame-codec.ts';
import { internSchema } from '../../../protocol/schema-ref.ts';
import { sampleOf } from '../../store/testing/frames.ts';
import { checkWeight, frameWeight } from './frame-weight.ts';

const HOUR_MS = 3_600_000;
const weightOf = (
  samples: Parameters<typeof encodeSamples>[0]['samples'],
  lane: Parameters<typeof frameWeight>[1] = 'live',
) => frameWeight(checkFrame(encodeSamples({ epoch: '0102030405ff', firstSeq: 1, samples })), lane);
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

const wide = internSchema({
  ...{ source: 'wide', boot: 'b' },
  series: Array.from({ length: 4_096 }, (_, index) => ({ name: `m${index}`, attributes: {}, unit: '' })),
});
const constants = (rows: number) =>
  Array.from({ length: rows }, (_, index) => ({
    ...sampleOf(index),
    ...{ schema: wide, values: wide.series.map(() => 7) },
  }));

it('counts the values of a frame that says them in a few bytes, in each lane by what it is for', () => {
  expect(weightOf(constants(1))).toBe(1);
  expect(weightOf(constants(64))).toBe(64);
  expect(weightOf(constants(64), 'backlog')).toBe(2);
  // As full as a frame of a drain of 17 series gets.
  const full = Array.from({ length: 4_000 }, (_, index) => sampleOf(index + 1));
  expect(weightOf(full, 'backlog')).toBe(0);
});

it('counts what checking it took beyond what its bytes take, within reason', () => {
  const [small, large] = [new Uint8Array(1_024), new Uint8Array(102_400)];
  expect([0.05, 0.3, 0.7, 3.36].map((ms) => checkWeight(ms, small, 'live'))).toEqual([0, 0, 1, 10]);
  expect([3, 5.2, 6.5].map((ms) => checkWeight(ms, large, 'backlog'))).toEqual([0, 0, 12]);
  expect(checkWeight(60_000, small, 'live')).toBe(checkWeight(100, small, 'live'));
});
