/**
 * Masks what a WebSocket client sends, four bytes at a time. The bundle gives it to `ws` as the library `bufferutil`,
 * which does the same in machine code: byte by byte, as `ws` masks without that, it takes a third of an agent's
 * processor time while it drains a backlog.
 */

/** Writes the first `length` bytes of `source`, masked, to `output` from `offset` on. `mask`: four bytes. */
export function mask(
  source: Uint8Array,
  mask: Uint8Array,
  output: Uint8Array,
  offset: number,
  length: number,
): void {
  const target = output.subarray(offset, offset + length);
  if (source !== output || offset !== 0) target.set(source.subarray(0, length));
  unmask(target, mask);
}

/** Masks, or unmasks, in place. */
export function unmask(buffer: Uint8Array, mask: Uint8Array): void {
  const { length } = buffer;
  if (length < 8) {
    bytewise(buffer, mask, 0, length);
    return;
  }
  /** Bytes before the first word. */
  const head = (4 - (buffer.byteOffset & 3)) & 3;
  const words = new Uint32Array(buffer.buffer, buffer.byteOffset + head, (length - head) >>> 2);
  const tail = head + 4 * words.length;
  bytewise(buffer, mask, 0, head);
  const key =
    new Uint32Array(Uint8Array.of(0, 1, 2, 3).map((at) => mask[(head + at) & 3] ?? 0).buffer)[0] ?? 0;
  for (let at = 0; at < words.length; at += 1) words[at] = (words[at] ?? 0) ^ key;
  bytewise(buffer, mask, tail, length);
}

function bytewise(buffer: Uint8Array, mask: Uint8Array, from: number, to: number): void {
  for (let at = from; at < to; at += 1) buffer[at] = (buffer[at] ?? 0) ^ (mask[at & 3] ?? 0);
}
