/** Keys as strings: one UTF-16 unit a byte, so that comparing strings compares bytes and a Map can hold them. */
export function keyText(key: Uint8Array): string {
  const buffer = key instanceof Buffer ? key : Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  return buffer.toString('latin1');
}

export function keyBytes(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

/** Index of the first of the sorted `texts` that is not below `text`. */
export function lowerBound(texts: readonly string[], text: string): number {
  let low = 0;
  let high = texts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((texts[middle] ?? '') < text) low = middle + 1;
    else high = middle;
  }
  return low;
}
