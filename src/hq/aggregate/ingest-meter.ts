/** How much HQ takes in: rates now, and a point a second of the last minutes. */
import type { Clock } from '../../platform/clock.ts';
import type { IngestPoint } from '../../protocol/api.ts';
import { createRateWindow } from './rate-window.ts';

export type IngestMeter = {
  /** `mono`: HQ's monotonic time, ms. */
  readonly add: (samples: number, bytes: number, mono: number) => void;
  /** To be called once a second; gives the point of it. */
  readonly endSecond: () => IngestPoint;
  readonly hasNewPoints: () => boolean;
  /** The points since they were last taken. */
  readonly takeNewPoints: () => readonly IngestPoint[];
  readonly points: () => IngestPoint[];
  readonly rates: () => { readonly samplesPerSecond: number; readonly bytesPerSecond: number };
};

export const MAX_POINTS = 600;

/** `before`: points of before a restart, oldest first. */
export function createIngestMeter(
  clock: Pick<Clock, 'now' | 'precise'>,
  before: readonly IngestPoint[] = [],
): IngestMeter {
  const samples = createRateWindow();
  const bytes = createRateWindow();
  const points = before.slice(-MAX_POINTS);
  let newPoints: IngestPoint[] = [];
  let second = { samples: 0, bytes: 0 };
  return {
    add: (newSamples, newBytes, mono) => {
      if (newSamples > 0) samples.add(newSamples, mono);
      bytes.add(newBytes, mono);
      second.samples += newSamples;
      second.bytes += newBytes;
    },
    endSecond: () => {
      const point = { t: clock.now(), ...second };
      second = { samples: 0, bytes: 0 };
      points.push(point);
      if (points.length > MAX_POINTS) points.shift();
      newPoints.push(point);
      return point;
    },
    hasNewPoints: () => newPoints.length > 0,
    takeNewPoints: () => {
      const taken = newPoints;
      newPoints = [];
      return taken;
    },
    points: () => points.map((point) => ({ ...point })),
    rates: () => {
      const now = clock.precise();
      return { samplesPerSecond: samples.rate(now), bytesPerSecond: bytes.rate(now) };
    },
  };
}
