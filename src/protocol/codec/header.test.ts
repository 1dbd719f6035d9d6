import { describe, expect, it } from 'vitest';
import { FrameError, type SampleGroup } from '../frame.ts';
import {
  decodeData,
  decodeDownsampled,
  decodeGap,
  encodeGap,
  encodeGroups,
  encodeSamples,
  samplesOf,
  verifyFrame,
} from '../frame-codec.ts';
import { MAX_SEQ } from '../sample.ts';
import { sealed } from './testing/forge.ts';
import { hostSamples, hostSchema } from './testing/host-samples.ts';

const epoch = '0123456789ab';
const data = encodeSamples({ epoch, firstSeq: 1, samples: hostSamples(3) });
const gap = encodeGap({ epoch, firstSeq: 1, count: 10, tsMin: 1, tsMax: 2, reason: 'damaged' });

function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = value;
  return copy;
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof FrameError) return error.code;
    throw error;
  }
  return 'no error';
}

describe('refusals of a reader', () => {
  const payload = Uint8Array.of(0);
  it.each([
    ['nothing', 'truncated', new Uint8Array(0)],
    ['another file', 'bad_magic', Uint8Array.of(0x89, 0x50, 0x4e, 0x47)],
    ['a frame cut short', 'truncated', data.subarray(0, data.length - 1)],
    ['bytes after the frame', 'malformed', Uint8Array.of(...data, 0)],
    ['a changed byte', 'bad_checksum', changed(data, data.length - 1, (data.at(-1) as number) ^ 1)],
    ['a later version', 'unsupported_version', changed(data, 2, 2)],
    ['an encrypted payload', 'encrypted', sealed({ count: 1, payload, flags: 8 })],
    ['a thinned frame with notes', 'malformed', sealed({ count: 1, payload, flags: 0x12 })],
    ['a kind that is not defined', 'unsupported_kind', sealed({ count: 1, payload, flags: 3 })],
    ['flags that are not defined', 'malformed', sealed({ count: 1, payload, flags: 0x20 })],
    ['a count of 0', 'malformed', sealed({ count: 0, payload })],
    ['too many samples', 'too_large', sealed({ count: 4097, payload })],
    ['a compressed gap', 'malformed', sealed({ count: 1, payload, flags: 5 })],
  ])('%s: %s', (_, code, bytes) => {
    expect(codeOf(() => verifyFrame(bytes))).toBe(code);
    expect(codeOf(() => decodeData(bytes))).toBe(code);
  });

  it('gap for data and data for gap', () => {
    expect(codeOf(() => decodeData(gap))).toBe('unsupported_kind');
    expect(codeOf(() => decodeGap(data))).toBe('unsupported_kind');
  });

  it('a reason that is not defined', () => {
    expect(codeOf(() => decodeGap(sealed({ count: 1, payload: Uint8Array.of(5), flags: 1 })))).toBe(
      'malformed',
    );
    expect(codeOf(() => decodeGap(sealed({ count: 1, payload: new Uint8Array(0), flags: 1 })))).toBe(
      'malformed',
    );
    expect(codeOf(() => decodeGap(sealed({ count: 1, payload: Uint8Array.of(1, 1), flags: 1 })))).toBe(
      'malformed',
    );
  });

  it('takes a thinned frame for no other, whatever it stands for', () => {
    const thinned = sealed({ count: 1_000_000, payload, flags: 2 });
    expect(verifyFrame(thinned)).toMatchObject({ kind: 'thinned', count: 1_000_000 });
    expect(() => decodeData(thinned)).toThrow(/holds no samples/);
    expect(() => decodeDownsampled(sealed({ count: 1, payload }))).toThrow(/holds no buckets/);
  });
});

describe('refusals of a writer', () => {
  const samples = hostSamples(2);
  const first = samples[0] as (typeof samples)[number];
  it.each([
    ['no samples', 'malformed', { epoch, firstSeq: 1, samples: [] }],
    ['too many samples', 'too_large', { epoch, firstSeq: 1, samples: hostSamples(4097) }],
    ['seqs beyond 2^48 − 1', 'too_large', { epoch, firstSeq: MAX_SEQ, samples }],
    ['seq 0', 'malformed', { epoch, firstSeq: 0, samples }],
    ['an epoch that is none', 'malformed', { epoch: '0123', firstSeq: 1, samples }],
    ['a ts with a fraction', 'malformed', { epoch, firstSeq: 1, samples: [{ ...first, ts: 0.5 }] }],
    ['a negative mono', 'malformed', { epoch, firstSeq: 1, samples: [{ ...first, mono: -1 }] }],
    ['values that do not fit', 'malformed', { epoch, firstSeq: 1, samples: [{ ...first, values: [1] }] }],
  ])('%s: %s', (_, code, frame) => {
    expect(codeOf(() => encodeSamples(frame))).toBe(code);
  });

  it('an anomaly of a series that the schema lacks', () => {
    const diagnostics = [{ code: 'stale', severity: 'info', series: 17, detail: '' }] as const;
    expect(codeOf(() => encodeSamples({ epoch, firstSeq: 1, samples: [{ ...first, diagnostics }] }))).toBe(
      'malformed',
    );
  });

  it('groups that do not hold every seq once', () => {
    const [group] = decodeData(data).groups as [SampleGroup];
    const encode = (groups: SampleGroup[], count = 3) =>
      codeOf(() => encodeGroups({ epoch, firstSeq: 1, count, groups }));
    expect(encode([group])).toBe('no error');
    expect(encode([group], 4)).toBe('malformed');
    expect(encode([group, group], 6)).toBe('malformed');
    expect(encode([{ ...group, seqs: Float64Array.of(1, 3, 2) }])).toBe('malformed');
    expect(encode([{ ...group, seqs: Float64Array.of(2, 3, 4) }])).toBe('malformed');
    expect(encode([{ ...group, ts: group.ts.subarray(1) }])).toBe('malformed');
    expect(encode([{ ...group, columns: [null] }])).toBe('malformed');
    expect(encode([{ ...group, schemaRef: 'nothing' }])).toBe('malformed');
  });

  it('a gap without end or beginning', () => {
    const whole = { epoch, firstSeq: 5, count: 1, tsMin: 1, tsMax: 1, reason: 'damaged' } as const;
    expect(codeOf(() => encodeGap({ ...whole, count: MAX_SEQ - 4 }))).toBe('no error');
    expect(codeOf(() => encodeGap({ ...whole, count: MAX_SEQ - 3 }))).toBe('too_large');
    expect(codeOf(() => encodeGap({ ...whole, count: 0 }))).toBe('malformed');
    expect(codeOf(() => encodeGap({ ...whole, tsMax: 0 }))).toBe('malformed');
  });
});

describe('samples of a frame', () => {
  const frame = decodeData(data);
  it('need their schema', () => {
    expect(codeOf(() => samplesOf(frame, () => undefined))).toBe('malformed');
    const narrow = { ...hostSchema, series: hostSchema.series.slice(1) };
    expect(codeOf(() => samplesOf(frame, () => narrow))).toBe('malformed');
    expect(samplesOf(frame, () => hostSchema)).toHaveLength(3);
  });

  it('need all of their columns', () => {
    const part = decodeData(data, { columns: () => [0] });
    expect(codeOf(() => samplesOf(part, () => hostSchema))).toBe('malformed');
  });
});
