/** What a frame holds, as checkers compare it: the identity of each sample and a fingerprint of all of it. */
import { decodeData, readHeader } from '../../src/protocol/frame-codec.ts';

export type Content = {
  readonly id: number;
  readonly print: number;
  readonly ref: string;
  readonly ts: number;
  readonly mono: number;
  readonly values: readonly (number | null)[];
};

type Contents = ReadonlyMap<number, Content>;

/**
 * Of each seq of a data frame. A frame goes from disk to disk as it is: who was asked for the very same bytes a moment
 * ago answers the same again.
 */
export function contentsOf(bytes: Uint8Array): Contents {
  const key = `${readHeader(bytes).crc}/${bytes.length}`;
  const known = recent.get(key);
  if (known !== undefined && Buffer.compare(known.bytes, bytes) === 0) return known.contents;
  const contents = decode(bytes);
  recent.set(key, { bytes: Uint8Array.from(bytes), contents });
  if (recent.size > MAX_RECENT) recent.delete(recent.keys().next().value ?? key);
  return contents;
}

const MAX_RECENT = 1024;
const recent = new Map<string, { readonly bytes: Uint8Array; readonly contents: Contents }>();

function decode(bytes: Uint8Array): Contents {
  const contents = new Map<number, Content>();
  for (const { schemaRef: ref, seqs, ts, mono, columns } of decodeData(bytes).groups) {
    const all = columns.map((column) =>
      column === null ? null : ([column.values, column.present] as const),
    );
    for (let row = 0; row < seqs.length; row += 1) {
      const values = all.map((column) =>
        column === null || (column[1] !== null && column[1][row] !== 1) ? null : (column[0][row] ?? null),
      );
      const at = { ts: ts[row] ?? Number.NaN, mono: mono[row] ?? Number.NaN };
      const print = fingerprint([at.ts, at.mono, ...values]);
      contents.set(seqs[row] ?? 0, { id: values[0] ?? -1, print, ref, ...at, values });
    }
  }
  return contents;
}

const number = new Float64Array(1);
const words = new Uint32Array(number.buffer);

/** MurmurHash3, 32 bits, over the bits of the numbers; one more word says which there are. */
function fingerprint(values: readonly (number | null)[]): number {
  let hash = values.length;
  for (const value of values) {
    if (value === null) {
      hash = mix(hash, 1);
      continue;
    }
    number[0] = value;
    hash = mix(mix(mix(hash, 2), words[0] as number), words[1] as number);
  }
  return hash >>> 0;
}

function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const mixed = hash ^ k;
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

export { readHeader };
