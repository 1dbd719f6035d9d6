/** The schemas that must be known before a frame means anything. */
import type { SchemaRef } from '../sample.ts';
import { type DecodeOptions, decodeData } from './decode.ts';
import { readHeader } from './header.ts';
import { decodeThinned } from './thinned.ts';

/** The schemas that a data or thinned frame names, each once, in order of their groups. Verifies the checksum. Throws FrameError. */
export function schemaRefsOf(bytes: Uint8Array): readonly SchemaRef[] {
  const options: DecodeOptions = { columns: () => 'none' };
  const { groups } =
    readHeader(bytes).kind === 'thinned' ? decodeThinned(bytes, options) : decodeData(bytes, options);
  return [...new Set(groups.map(({ schemaRef }) => schemaRef))];
}
