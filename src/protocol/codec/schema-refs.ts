/** The schemas that must be known before a frame means anything. */
import type { SchemaRef } from '../sample.ts';
import { type DecodeOptions, decodeData, payloadOf } from './decode.ts';
import { decodeDownsampled } from './downsampled.ts';
import { readHead } from './group.ts';
import { parseVerified, readHeader } from './header.ts';

/** What a data or thinned frame is about, its columns left undecoded. */
export type FrameOutline = {
  /** The schemas that it names, each once, in order of their groups. */
  readonly refs: readonly SchemaRef[];
  /** Samples or buckets: what `maxFrameSamples` bounds. */
  readonly rows: number;
};

/** Verifies the checksum. Throws FrameError. */
export function outlineOf(bytes: Uint8Array): FrameOutline {
  const options: DecodeOptions = { columns: () => 'none' };
  const { groups } =
    readHeader(bytes).kind === 'thinned' ? decodeDownsampled(bytes, options) : decodeData(bytes, options);
  return {
    refs: [...new Set(groups.map(({ schemaRef }) => schemaRef))],
    rows: groups.reduce((sum, { seqs }) => sum + seqs.length, 0),
  };
}

/**
 * The schemas of a data or thinned frame, see `outlineOf`. Of one schema, which most have, hardly more than its name is
 * read.
 */
export function schemaRefsOf(bytes: Uint8Array): readonly SchemaRef[] {
  const { header } = parseVerified(bytes);
  if (header.kind !== 'data') return outlineOf(bytes).refs;
  const { schemaRef, rest } = readHead(payloadOf(bytes, header));
  return rest ? [schemaRef] : outlineOf(bytes).refs;
}
