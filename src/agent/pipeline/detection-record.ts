/**
 * What detection has learned, as one record of bytes:
 *
 *     u32 LE   length of the head
 *     head     JSON: {version: 1, at, series: [[id, numbers], …]}
 *     doubles  little-endian, those of each series in turn
 *
 * The record is bounded; series that find no room in it are left out, and begin again after a restart.
 */
import { z } from 'zod';

export type KeptSeries = {
  /** Of what and how; see detect.ts. */
  readonly id: string;
  readonly learned: Float64Array;
};

export type DetectionRecord = {
  /** Wall time of the record, ms. */
  readonly at: number;
  readonly series: readonly KeptSeries[];
};

const headSchema = z.object({
  version: z.literal(1),
  at: z.number(),
  series: z.array(z.tuple([z.string(), z.int().min(0)])),
});

const LENGTH_BYTES = 4;
const DOUBLE_BYTES = 8;
/** Of the head, besides ids: its frame, and brackets and digits of each series. */
const HEAD_BYTES = 64;
const SERIES_BYTES = 16;

/** `left`: series that found no room. */
export function encodeDetection(
  at: number,
  all: Iterable<KeptSeries>,
  maxBytes: number,
): { readonly bytes: Uint8Array; readonly left: number } {
  const series: KeptSeries[] = [];
  let room = maxBytes - LENGTH_BYTES - HEAD_BYTES;
  let left = 0;
  for (const one of all) {
    const size = Buffer.byteLength(JSON.stringify(one.id)) + SERIES_BYTES + one.learned.length * DOUBLE_BYTES;
    if (size > room) left += 1;
    else {
      room -= size;
      series.push(one);
    }
  }
  const counted = series.map(({ id, learned }) => [id, learned.length]);
  const head = Buffer.from(JSON.stringify({ version: 1, at, series: counted }));
  const doubles = series.reduce((sum, { learned }) => sum + learned.length, 0);
  const bytes = new Uint8Array(LENGTH_BYTES + head.length + doubles * DOUBLE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, head.length, true);
  bytes.set(head, LENGTH_BYTES);
  let offset = LENGTH_BYTES + head.length;
  for (const { learned } of series) {
    for (const value of learned) {
      view.setFloat64(offset, value, true);
      offset += DOUBLE_BYTES;
    }
  }
  return { bytes, left };
}

/** Null when the bytes are no such record. */
export function decodeDetection(bytes: Uint8Array): DetectionRecord | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < LENGTH_BYTES) return null;
  const headEnd = LENGTH_BYTES + view.getUint32(0, true);
  if (headEnd > bytes.length) return null;
  const head = headSchema.safeParse(parsed(bytes.subarray(LENGTH_BYTES, headEnd)));
  if (!head.success) return null;
  const { at, series } = head.data;
  const doubles = series.reduce((sum, [, count]) => sum + count, 0);
  if (headEnd + doubles * DOUBLE_BYTES !== bytes.length) return null;
  let offset = headEnd;
  return {
    at,
    series: series.map(([id, count]) => {
      const learned = new Float64Array(count);
      for (let index = 0; index < count; index += 1, offset += DOUBLE_BYTES)
        learned[index] = view.getFloat64(offset, true);
      return { id, learned };
    }),
  };
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return null;
  }
}
