/**
 * The frame codec, version 1: what everyone else imports. docs/protocol.md has the layout byte by byte.
 *
 * Invariants:
 * - values round-trip bit for bit, but that all NaNs become one;
 * - every function that reads throws a FrameError, and nothing else, on bytes that are no valid frame;
 * - decoding allocates in proportion to the bytes given (their number times a constant), whatever lengths they claim;
 * - a data frame holds 1 … MAX_FRAME_SAMPLES samples with consecutive seqs; a thinned frame as many buckets, which
 *   stand for any number of seqs; so does a gap frame.
 */
export { bucketsOf, coarsen, joinBuckets, sliceBuckets } from './codec/buckets.ts';
export { type CheckedFrame, checkFrame } from './codec/check.ts';
export { type ColumnChoice, type DecodeOptions, decodeData } from './codec/decode.ts';
export { decodeDownsampled, encodeDownsampled } from './codec/downsampled.ts';
export { encodeGroups } from './codec/encode.ts';
export { encodeSamples } from './codec/encode-samples.ts';
export { decodeGap, encodeGap } from './codec/gap.ts';
export { readHeader, verifyFrame } from './codec/header.ts';
export { type Piece, piecesOf } from './codec/pieces.ts';
export { resealFrame } from './codec/reseal.ts';
export { mergeFrames, sliceFrame, splitFrame, withoutJudgements } from './codec/reshape.ts';
export { samplesOf } from './codec/samples.ts';
export { schemaRefsOf } from './codec/schema-refs.ts';
export { splitDownsampled } from './codec/split-downsampled.ts';
