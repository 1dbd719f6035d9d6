/**
 * zstd around the body of a data frame: `varint body length, zstd frame`. The length is declared and bounded, so that
 * the decoder allocates in proportion to what it was sent.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { ByteReader, ByteWriter, malformed } from './bytes.ts';
import { MAX_PAYLOAD_BYTES } from './header.ts';

const LEVEL = 3;
/**
 * Codes hardly shrink, and trying costs as much as encoding 60 samples: only bodies with at least so many other bytes,
 * or long enough for patterns to repeat, are tried.
 */
const MIN_PLAIN_BYTES = 96;
const MIN_BODY_BYTES = 2048;
/** A body may be at most this long for its payload: `4 KiB + 32 × payload`. */
const FREE_BODY_BYTES = 4 * 1024;
const MAX_RATIO = 32;
const MIN_WINDOW_LOG = 10;

const scratch = new ByteWriter();

export function maxBodyBytes(payloadLength: number): number {
  return Math.min(MAX_PAYLOAD_BYTES, FREE_BODY_BYTES + MAX_RATIO * payloadLength);
}

/** zstd must not need more memory than the body has, rounded up to a power of two. */
function windowLog(bodyLength: number): number {
  return Math.max(MIN_WINDOW_LOG, 32 - Math.clz32(bodyLength - 1));
}

/**
 * The compressed payload as a view of scratch memory; null when it is not worth trying, not smaller, or beyond the
 * ratio. `plainBytes` of the body are no codes.
 */
export function compressBody(body: Uint8Array, plainBytes: number): Uint8Array | null {
  if (plainBytes < MIN_PLAIN_BYTES && body.length < MIN_BODY_BYTES) return null;
  const compressed = zstdCompressSync(body, {
    params: {
      [constants.ZSTD_c_compressionLevel]: LEVEL,
      [constants.ZSTD_c_windowLog]: windowLog(body.length),
    },
    pledgedSrcSize: body.length,
    chunkSize: Math.max(1024, body.length),
  });
  const writer = scratch.reset();
  writer.varint(body.length);
  writer.raw(compressed);
  if (writer.length >= body.length || body.length > maxBodyBytes(writer.length)) return null;
  return writer.view();
}

/** The body of a compressed payload. Throws FrameError. */
export function decompressBody(payload: Uint8Array): Uint8Array {
  const reader = new ByteReader(payload);
  const length = reader.varint('body length');
  if (length < 1 || length > maxBodyBytes(payload.length)) {
    throw malformed(`body length: ${length} from ${payload.length} bytes`);
  }
  let body: Uint8Array;
  try {
    body = zstdDecompressSync(payload.subarray(reader.offset), {
      maxOutputLength: length,
      chunkSize: Math.max(64, length),
      params: { [constants.ZSTD_d_windowLogMax]: windowLog(length) },
      rejectGarbageAfterEnd: true,
    });
  } catch (cause) {
    throw malformed('payload: zstd cannot decompress it', { cause });
  }
  if (body.length !== length) throw malformed(`body: ${body.length} bytes, ${length} declared`);
  return body;
}
