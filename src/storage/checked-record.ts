/**
 * Checksummed values. LMDB stores none of its own, so flipped bits would come back as data.
 *
 * Layout of a stored value: the value, then CRC-32 (little-endian) over key and value. The key is part of it, so that a
 * value that ended up under a wrong key is found too.
 */
import { crc32 } from 'node:zlib';

const CRC_BYTES = 4;

/**
 * What a record occupies on the disk: key and value, node header and, for large values, whole 4 KiB pages. Estimate.
 */
export function footprintOf(keyLength: number, valueLength: number): number {
  const inline = NODE_BYTES + keyLength + CRC_BYTES + valueLength;
  if (inline <= INLINE_MAX) return inline;
  return NODE_BYTES + keyLength + 8 + Math.ceil((PAGE_HEADER + CRC_BYTES + valueLength) / PAGE) * PAGE;
}
const PAGE = 4096;
const PAGE_HEADER = 24;
/** Node header, its slot in the page's index, the storage's own key prefix. */
const NODE_BYTES = 11;
/** A record beyond half a page moves to pages of its own. */
const INLINE_MAX = 2036;

export function sealValue(key: Uint8Array, value: Uint8Array): Buffer {
  const stored = Buffer.allocUnsafe(value.length + CRC_BYTES);
  stored.set(value);
  stored.writeUInt32LE(crc32(value, crc32(key)), value.length);
  return stored;
}

/** The value, as a view of `stored`; undefined when the checksum does not match. */
export function openValue(key: Uint8Array, stored: Uint8Array): Uint8Array | undefined {
  const length = stored.length - CRC_BYTES;
  if (length < 0) return undefined;
  const value = stored.subarray(0, length);
  const expected = new DataView(stored.buffer, stored.byteOffset + length, CRC_BYTES).getUint32(0, true);
  return crc32(value, crc32(key)) === expected ? value : undefined;
}
