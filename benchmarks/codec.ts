/**
 * What the frame codec costs and saves, against JSON + gzip and MessagePack + zstd on the same samples in the same run.
 *
 *     node benchmarks/codec.ts
 */
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { Packr } from 'msgpackr';
import { createSystemClock } from '../src/platform/clock.ts';
import { hostSamples } from '../src/protocol/codec/testing/host-samples.ts';
import { decodeData, encodeGroups, encodeSamples, mergeFrames } from '../src/protocol/frame-codec.ts';
import type { Sample } from '../src/protocol/sample.ts';
import type { BenchResult, BenchRow } from './result.ts';
import { print } from './support/print.ts';

const BATCHES = [1, 10, 60, 300, 1000];
/** Repetitions of which the best counts: the machine has other work too. */
const ROUNDS = 3;
const HEAD_SAMPLES = 2;
const COMPACTED_SAMPLES = 512;

type Contender = {
  readonly name: string;
  /** An encoder for these samples; what a program would have in memory anyway is made beforehand. */
  readonly encoder: (samples: readonly Sample[]) => () => Uint8Array;
  readonly decode: (bytes: Uint8Array) => unknown;
};

const packr = new Packr({ useRecords: true });

/** What a simple agent would send: one object a sample, metric names included. */
function documentsOf(samples: readonly Sample[]): object[] {
  return samples.map(({ schema, ts, values }) => ({
    ts,
    ...Object.fromEntries(schema.series.map((series, index) => [series.name, values[index] ?? null])),
  }));
}

const contenders: readonly Contender[] = [
  {
    name: 'holdfast frame',
    encoder: (samples) => () => encodeSamples({ epoch: '0123456789ab', firstSeq: 2_600_000, samples }),
    decode: (bytes) => decodeData(bytes),
  },
  {
    name: 'JSON + gzip',
    encoder: (samples) => {
      const documents = documentsOf(samples);
      return () => gzipSync(JSON.stringify(documents));
    },
    decode: (bytes) => JSON.parse(gunzipSync(bytes).toString('utf8')),
  },
  {
    name: 'MessagePack + zstd',
    encoder: (samples) => {
      const documents = documentsOf(samples);
      return () => zstdCompressSync(packr.pack(documents));
    },
    decode: (bytes) => packr.unpack(zstdDecompressSync(bytes)),
  },
];

const clock = createSystemClock();

/** Samples a second of the best of several rounds; `work` handles `count` of them. */
function rate(count: number, work: () => unknown, measureMs: number): number {
  let best = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const start = clock.precise();
    let elapsed = 0;
    let done = 0;
    while (elapsed < measureMs) {
      work();
      done += count;
      elapsed = clock.precise() - start;
    }
    best = Math.max(best, (done / elapsed) * 1000);
  }
  return Math.round(best);
}

function benchBatch(count: number, measureMs: number): BenchRow[] {
  const samples = hostSamples(count);
  const rows: BenchRow[] = [];
  for (const { name, encoder, decode } of contenders) {
    const encode = encoder(samples);
    const bytes = encode();
    const label = `${name}, ${count} a batch`;
    rows.push({ name: `${label}: size`, value: Number((bytes.length / count).toFixed(2)), unit: 'B/sample' });
    rows.push({ name: `${label}: encode`, value: rate(count, encode, measureMs), unit: 'samples/s' });
    rows.push({
      name: `${label}: decode`,
      value: rate(count, () => decode(bytes), measureMs),
      unit: 'samples/s',
    });
  }
  return rows;
}

/** What only frames can do: columns in and out, one column of many, many small frames into one. */
function benchColumns(measureMs: number): BenchRow[] {
  const count = 1000;
  const epoch = '0123456789ab';
  const samples = hostSamples(count);
  const bytes = encodeSamples({ epoch, firstSeq: 1, samples });
  const { groups } = decodeData(bytes);
  const heads: Uint8Array[] = [];
  for (let first = 0; first < COMPACTED_SAMPLES; first += HEAD_SAMPLES) {
    const head = samples.slice(first, first + HEAD_SAMPLES);
    heads.push(encodeSamples({ epoch, firstSeq: 1 + first, samples: head }));
  }
  const measured: [string, number][] = [
    [
      'holdfast frame, 1000 a batch: encode from columns',
      rate(count, () => encodeGroups({ epoch, firstSeq: 1, count, groups }), measureMs),
    ],
    [
      'holdfast frame, 1000 a batch: decode 1 of 17 columns',
      rate(count, () => decodeData(bytes, { columns: () => [0] }), measureMs),
    ],
    [
      `holdfast frame: merge ${heads.length} frames of ${HEAD_SAMPLES}`,
      rate(COMPACTED_SAMPLES, () => mergeFrames(heads), measureMs),
    ],
  ];
  return measured.map(([name, value]) => ({ name, value, unit: 'samples/s' }));
}

/**
 * `measureMs`: how long each round of each figure takes; by default the whole runs for about half a minute, on one
 * core.
 */
export async function benchCodec({ measureMs = 300 } = {}): Promise<BenchResult> {
  return {
    title: 'codec: 17 host metrics',
    rows: [...BATCHES.flatMap((count) => benchBatch(count, measureMs)), ...benchColumns(measureMs)],
  };
}

if (import.meta.main) print([await benchCodec()]);
