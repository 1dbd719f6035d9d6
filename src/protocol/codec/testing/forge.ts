/** Frames made by hand for tests: any header, any payload, a right checksum. */
import { crc32 } from 'node:zlib';

export type Forgery = {
  readonly count: number;
  readonly payload: Uint8Array;
  readonly zstd?: boolean;
  /** Instead of the flags that follow from the rest. */
  readonly flags?: number;
  readonly version?: number;
};

/** A frame of epoch 010101010101 with `firstSeq` 1 and all of its time at 0. */
export function sealed({ count, payload, zstd = false, flags, version = 1 }: Forgery): Uint8Array {
  const header = [
    ...[0x48, 0x46, version, flags ?? (zstd ? 4 : 0)],
    ...[1, 1, 1, 1, 1, 1],
    ...[...varint(1), ...varint(count), 0, 0, ...varint(payload.length)],
  ];
  const crc = crc32(payload, crc32(Uint8Array.from(header)));
  return Uint8Array.from([
    ...header,
    crc & 255,
    (crc >>> 8) & 255,
    (crc >>> 16) & 255,
    crc >>> 24,
    ...payload,
  ]);
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(Math.floor(value / 128))];
}
