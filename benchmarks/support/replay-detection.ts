/** What detection finds in samples that were recorded: an agent's own journal is the recording. */
import { createDetection, type DetectionSettings } from '../../src/agent/pipeline/detect.ts';
import { createSource } from '../../src/agent/sources/registry.ts';
import type { RawSample, Source } from '../../src/agent/sources/source.ts';
import { parseSourceSpec } from '../../src/agent/sources/spec.ts';
import { listFrames, readFrame } from '../../src/journal/editor.ts';
import { readSchemas } from '../../src/journal/schemas.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { systemRandom } from '../../src/platform/random.ts';
import { decodeData, samplesOf } from '../../src/protocol/frame-codec.ts';
import { MAX_SEQ, type Sample } from '../../src/protocol/sample.ts';
import { seriesKey } from '../../src/protocol/series-key.ts';
import { openLmdbReader } from '../../src/storage/lmdb/lmdb-reader.ts';

const MAX_FRAMES = 1_000_000;

/** The samples of source `host` in the journal of a data directory, which may be in use. */
export function recordedSamples(directory: string): Sample[] {
  const reader = openLmdbReader(directory);
  try {
    const schemas = reader.read(readSchemas);
    const frames = reader.read((one) => listFrames(one, { first: 0, last: MAX_SEQ, limit: MAX_FRAMES }));
    return frames
      .flatMap((key) => {
        const frame = key.kind === 'data' ? reader.read((one) => readFrame(one, key)) : null;
        return frame === null ? [] : samplesOf(decodeData(frame.bytes), (ref) => schemas.get(ref));
      })
      .map(({ sample }) => sample)
      .filter(({ schema }) => schema.source === 'host');
  } finally {
    reader.close();
  }
}

export type Episode = {
  readonly series: string;
  readonly startTs: number;
  /** Wall time of the sample that it was found with. */
  readonly seenTs: number;
  z: number;
  readonly mean: number;
  readonly stddev: number;
};

/** Episodes that begin, cold at the first sample. */
export function replay(samples: readonly Sample[], settings: DetectionSettings): Episode[] {
  const source = hostSource();
  const detection = createDetection({
    settings,
    source,
    traitsOf: ({ series }, index) => {
      const one = series[index];
      return one === undefined ? {} : source.traits(one);
    },
    kept: new Map(),
  });
  const episodes = new Map<string, Episode>();
  for (const { schema, ts, mono, values } of samples) {
    const raw: RawSample = { schema, ts, mono, values };
    const detectors = detection.detectorsFor(raw);
    values.forEach((value, index) => {
      const found = value === null ? null : (detectors[index]?.next(ts, value) ?? null);
      const one = schema.series[index];
      if (found === null || one === undefined) return;
      const { startTs, peakZ, mean, stddev } = found;
      const series = seriesKey(one);
      const key = `${series} ${startTs}`;
      const known = episodes.get(key);
      if (known === undefined) episodes.set(key, { series, startTs, seenTs: ts, z: peakZ, mean, stddev });
      else if (Math.abs(peakZ) > Math.abs(known.z)) known.z = peakZ;
    });
  }
  return [...episodes.values()];
}

/** How far a step was put, and after how long it was found, s; null: not at all. */
export type Injected = { readonly series: string; readonly afterSeconds: number | null };

const MEAN_OF = 10;
/** A step counts as found within so long. */
const FOUND_MS = 300_000;

/**
 * A step of so many deviations (of means of 10 s, or of the least that counts), up and at the middle of the recording,
 * in each series that is judged, one after the other.
 */
export function injectSteps(
  samples: readonly Sample[],
  settings: DetectionSettings,
  sigma: number,
): readonly Injected[] {
  const source = hostSource();
  const middle = Math.floor(samples.length / 2);
  const at = samples[middle]?.ts ?? 0;
  const before = new Set(replay(samples, settings).map(({ series, startTs }) => `${series} ${startTs}`));
  return (samples[0]?.schema.series ?? []).flatMap((series): Injected[] => {
    const key = seriesKey(series);
    const { cumulative, anomalies, minStddev = 0 } = source.traits(series);
    if (cumulative === true || anomalies === false) return [];
    const valueIn = ({ schema, values }: Sample) =>
      values[schema.series.findIndex((one) => seriesKey(one) === key)] ?? null;
    const size = sigma * Math.max(minStddev, deviationOfMeans(samples.slice(0, middle).map(valueIn)));
    if (size === 0) return [];
    const changed = samples.map((sample, index) =>
      index < middle
        ? sample
        : {
            ...sample,
            values: sample.values.map((value, column) => {
              const one = sample.schema.series[column];
              return value !== null && one !== undefined && seriesKey(one) === key ? value + size : value;
            }),
          },
    );
    const found = replay(changed, settings).find(
      (one) => one.series === key && one.seenTs >= at && !before.has(`${key} ${one.startTs}`),
    );
    const afterMs = found === undefined ? Number.POSITIVE_INFINITY : found.seenTs - at;
    return [{ series: key, afterSeconds: afterMs <= FOUND_MS ? afterMs / 1000 : null }];
  });
}

function deviationOfMeans(values: readonly (number | null)[]): number {
  const there = values.filter((value) => value !== null);
  const means: number[] = [];
  for (let from = 0; from + MEAN_OF <= there.length; from += MEAN_OF)
    means.push(there.slice(from, from + MEAN_OF).reduce((sum, value) => sum + value / MEAN_OF, 0));
  const mean = means.reduce((sum, value) => sum + value / means.length, 0);
  return Math.sqrt(means.reduce((sum, value) => sum + (value - mean) ** 2 / means.length, 0));
}

function hostSource(): Source {
  const env = { clock: createSystemClock(), random: systemRandom, emit: () => {} };
  return createSource(parseSourceSpec('host:every=1s'), env);
}
