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

/** Of each seq of a data frame. */
export function contentsOf(bytes: Uint8Array): ReadonlyMap<number, Content> {
  const contents = new Map<number, Content>();
  for (const { schemaRef: ref, seqs, ts, mono, columns } of decodeData(bytes).groups) {
    for (let row = 0; row < seqs.length; row += 1) {
      const values = columns.map((column) =>
        column === null || (column.present !== null && column.present[row] !== 1)
          ? null
          : (column.values[row] ?? null),
      );
      const [id] = values;
      const text = `${ts[row]} ${mono[row]} ${values.join(' ')}`;
      contents.set(seqs[row] ?? 0, {
        id: id ?? -1,
        print: fingerprint(text),
        ref,
        ts: ts[row] ?? Number.NaN,
        mono: mono[row] ?? Number.NaN,
        values,
      });
    }
  }
  return contents;
}

/** FNV-1a, 32 bits. */
function fingerprint(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}

export { readHeader };
