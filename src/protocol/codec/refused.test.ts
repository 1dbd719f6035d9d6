/** Frames that must be refused, each with its code: every reader, and every HQ, gives the same. */
import { describe, expect, it } from 'vitest';
import { FrameError, type FrameErrorCode } from '../frame.ts';
import { checkFrame, decodeData, decodeDownsampled, decodeGap, readHeader } from '../frame-codec.ts';
import { ofEpoch, REFUSAL_CODES, refusedFrames } from './testing/refused.ts';

const all = refusedFrames();

function codeOf(read: () => unknown): FrameErrorCode | null {
  try {
    read();
    return null;
  } catch (error) {
    if (error instanceof FrameError) return error.code;
    throw error;
  }
}

function decode(bytes: Uint8Array): unknown {
  const { kind } = readHeader(bytes);
  if (kind === 'gap') return decodeGap(bytes);
  return kind === 'thinned' ? decodeDownsampled(bytes) : decodeData(bytes);
}

describe('golden frames that are refused', () => {
  it('have every code among them, and what only HQ refuses', () => {
    expect(new Set(all.map(({ code }) => code))).toEqual(new Set(REFUSAL_CODES));
    expect(new Set(all.map(({ refusedBy }) => refusedBy))).toEqual(new Set(['reader', 'hq']));
    expect(all.length).toBeGreaterThanOrEqual(113);
  });

  it.each(all)('$name: $about', (frame) => {
    const { bytes, code, refusedBy } = frame;
    expect(codeOf(() => checkFrame(bytes))).toBe(code);
    expect(codeOf(() => decode(bytes))).toBe(refusedBy === 'reader' ? code : null);
    expect(codeOf(() => checkFrame(ofEpoch(frame, 'ffeeddccbbaa')))).toBe(code);
  });
});
