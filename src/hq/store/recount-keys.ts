/** Steps of a recount over idempotency keys: each has two records, and either of them restores the other. */
import type { Writer } from '../../storage/storage.ts';
import { asBuffer, dedupKeyOfExpiry, expiryKey, readOrderedDouble, writeOrderedDouble } from './keys.ts';
import type { Recount } from './recount-step.ts';

const EXPIRY_BYTES = 8;

/** From the entry by expiry. What the key stood for is not known then: all that comes under it counts as that. */
export function mendKey(writer: Writer, entry: Uint8Array, { tally }: Recount): number {
  const key = dedupKeyOfExpiry(entry);
  const expiry = readOrderedDouble(asBuffer(entry), 1);
  const known = writer.get(key);
  if (known !== undefined && known.length >= EXPIRY_BYTES) {
    if (readOrderedDouble(asBuffer(known), 0) !== expiry) writer.remove(entry);
    return 0;
  }
  const value = Buffer.allocUnsafe(EXPIRY_BYTES);
  writeOrderedDouble(value, expiry, 0);
  writer.put(key, value);
  tally.keys += 1;
  return 0;
}

/** The entry by expiry, by which it is forgotten in time. */
export function mendExpiry(writer: Writer, key: Uint8Array, { tally }: Recount): number {
  const value = writer.get(key);
  if (value === undefined || value.length < EXPIRY_BYTES) {
    tally.unreadable += 1;
    writer.remove(key);
    return 0;
  }
  const entry = expiryKey(readOrderedDouble(asBuffer(value), 0), key);
  if (writer.get(entry) !== undefined) return 0;
  writer.put(entry, Uint8Array.of(1));
  tally.keys += 1;
  return 0;
}
