/** The schemas that must be known before a frame means anything. */
import type { SchemaRef } from '../sample.ts';
import { type DecodeOptions, decodeData, payloadOf } from './decode.ts';
import { decodeDownsampled } from './downsampled.ts';
import { readHead } from './group.ts';
import { parseVerified } from './header.ts';

const NO_COLUMNS: DecodeOptions = { columns: () => 'none' };

/**
 * The schemas that a data or thinned frame names, each once, in order of their groups. Of one schema, which most have,
 * hardly more than its name is read. Verifies the checksum. Throws FrameError.
 */
export function schemaRefsOf(bytes: Uint8Array): readonly SchemaRef[] {
  const { header } = parseVerified(bytes);
  if (header.kind !== 'data') return refsIn(decodeDownsampled(bytes, NO_COLUMNS));
  const { schemaRef, rest } = readHead(payloadOf(bytes, header));
  return rest ? [schemaRef] : refsIn(decodeData(bytes, NO_COLUMNS));
}

function refsIn(frame: { readonly groups: readonly { readonly schemaRef: SchemaRef }[] }): SchemaRef[] {
  return [...new Set(frame.groups.map(({ schemaRef }) => schemaRef))];
}
