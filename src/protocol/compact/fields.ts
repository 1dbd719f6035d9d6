/** Fields that several compact messages have: text and coverage, and the reading of untrusted bytes. */
import { ByteReader, type ByteWriter } from '../codec/bytes.ts';
import type { Coverage } from '../coverage.ts';
import { FrameError } from '../frame.ts';
import { MAX_SEQ } from '../sample.ts';
import { CompactError } from './compact-error.ts';

/** Ranges in one message: what HQ names, and one for each frame that it answers. */
const MAX_RANGES = 1024;
const utf8 = { encoder: new TextEncoder(), decoder: new TextDecoder('utf-8', { fatal: true }) };

/** Runs `read` over all of the bytes; whatever is wrong with them comes out as a CompactError. */
export function readWhole<T>(bytes: Uint8Array, read: (reader: ByteReader) => T): T {
  const reader = new ByteReader(bytes);
  try {
    const result = read(reader);
    if (reader.remaining > 0) throw new CompactError('malformed', `${reader.remaining} bytes too many`);
    return result;
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    const code = error.code === 'truncated' ? 'truncated' : 'malformed';
    throw new CompactError(code, error.message, { cause: error });
  }
}

export function readBounded(reader: ByteReader, most: number, what: string): number {
  const value = reader.varint(what);
  if (value > most) throw new CompactError('too_large', `${what}: ${value}, at most ${most}`);
  return value;
}

export function writeText(writer: ByteWriter, text: string): void {
  const bytes = utf8.encoder.encode(text);
  writer.varint(bytes.length);
  writer.raw(bytes);
}

export function readText(reader: ByteReader, maxBytes: number, what: string): string {
  const length = readBounded(reader, maxBytes, `length of ${what}`);
  const start = reader.skip(length, what);
  try {
    return utf8.decoder.decode(reader.bytes.subarray(start, start + length));
  } catch (cause) {
    throw new CompactError('malformed', `${what}: not UTF-8`, { cause });
  }
}

/** Each range is told by how far it is from the one before and how far it reaches. */
export function writeCoverage(writer: ByteWriter, { contiguous, ranges }: Coverage): void {
  writer.varint(contiguous);
  writer.varint(ranges.length);
  let end = contiguous;
  for (const [first, last] of ranges) {
    writer.varint(first - end - 2);
    writer.varint(last - first);
    end = last;
  }
}

export function readCoverage(reader: ByteReader): Coverage {
  const contiguous = readBounded(reader, MAX_SEQ, 'contiguous');
  const count = readBounded(reader, MAX_RANGES, 'number of ranges');
  const ranges: [number, number][] = [];
  let end = contiguous;
  for (let index = 0; index < count; index += 1) {
    const first = end + 2 + reader.varint('hole before a range');
    const last = first + reader.varint('length of a range');
    if (last > MAX_SEQ) throw new CompactError('too_large', `a range ends at ${last}`);
    ranges.push([first, last]);
    end = last;
  }
  return { contiguous, ranges };
}
