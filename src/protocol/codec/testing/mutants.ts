/**
 * Hostile bytes: mutants of sound frames. Half of them get a right checksum again, so that the parser behind it is
 * reached; every tenth is pure noise.
 */
import { crc32 } from 'node:zlib';
import {
  bucketsOf,
  coarsen,
  decodeData,
  encodeDownsampled,
  encodeGap,
  encodeSamples,
  readHeader,
} from '../../frame-codec.ts';
import type { Sample } from '../../sample.ts';
import { hostSamples } from './host-samples.ts';

export const EPOCH = 'fedcba987654';

function noted(samples: Sample[]): Sample[] {
  return samples.map((sample, index) =>
    index % 3 === 0
      ? {
          ...sample,
          values: sample.values.map((value, at) => (at % 5 === index % 5 ? null : value)),
          anomalies: [
            {
              series: index % 17,
              state: 'closed' as const,
              startTs: sample.ts,
              peakTs: sample.ts,
              peakValue: 99.5,
              peakZ: Number.NaN,
              mean: 1 / 3,
              stddev: 0.1,
              endTs: sample.ts + 1,
            },
          ],
          diagnostics: [{ code: 'stuck' as const, severity: 'info' as const, series: null, detail: 'näh' }],
        }
      : sample,
  );
}

function irrational(samples: Sample[]): Sample[] {
  return samples.map((sample) => ({
    ...sample,
    values: sample.values.map((value) => (value === null ? null : Math.round(Math.sqrt(value)) / 3)),
  }));
}

/** Buckets of eight. */
function thinned(samples: Sample[]): Uint8Array {
  const frame = decodeData(encodeSamples({ epoch: EPOCH, firstSeq: 50, samples }));
  const groups = coarsen(bucketsOf(frame), { window: 8, apart: true });
  return encodeDownsampled({ epoch: EPOCH, firstSeq: 50, count: samples.length, groups });
}

export const seeds: readonly Uint8Array[] = [
  encodeSamples({ epoch: EPOCH, firstSeq: 1, samples: hostSamples(1) }),
  encodeSamples({ epoch: EPOCH, firstSeq: 77, samples: noted(hostSamples(1)) }),
  encodeSamples({ epoch: EPOCH, firstSeq: 123_456, samples: hostSamples(12) }),
  encodeSamples({ epoch: EPOCH, firstSeq: 2 ** 40, samples: noted(hostSamples(40)) }),
  encodeSamples({ epoch: EPOCH, firstSeq: 5, samples: irrational(hostSamples(30)) }),
  encodeGap({ epoch: EPOCH, firstSeq: 9, count: 4, tsMin: -5, tsMax: 1e12, reason: 'damaged' }),
  thinned(hostSamples(64)),
  thinned(noted(irrational(hostSamples(24)))),
];

export function mutant(next: () => number): Uint8Array {
  const pick = (bound: number) => Math.floor(next() * bound);
  if (next() < 0.1) return Uint8Array.from({ length: pick(200) }, () => pick(256));
  const seed = seeds[pick(seeds.length)] as Uint8Array;
  const bytes = next() < 0.1 ? seed.slice(0, pick(seed.length)) : seed.slice();
  for (let changes = pick(4); changes >= 0 && bytes.length > 0; changes -= 1) {
    const at = pick(bytes.length);
    const how = next();
    if (how < 0.4) bytes[at] = pick(256);
    else if (how < 0.7) bytes[at] = (bytes[at] as number) ^ (1 << pick(8));
    else if (how < 0.9) bytes[at] = [0, 1, 127, 128, 255][pick(5)] as number;
    else bytes.copyWithin(at, pick(bytes.length), at + pick(16));
  }
  if (next() < 0.5) fixChecksum(bytes);
  return bytes;
}

/** Gives the bytes a right checksum, where their header can be read. */
export function fixChecksum(bytes: Uint8Array): void {
  try {
    const { headerLength } = readHeader(bytes);
    const crc = crc32(bytes.subarray(headerLength), crc32(bytes.subarray(0, headerLength - 4)));
    new DataView(bytes.buffer).setUint32(headerLength - 4, crc, true);
  } catch {
    // No header, no checksum.
  }
}
