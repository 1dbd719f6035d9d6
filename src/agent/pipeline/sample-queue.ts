import { createFifo } from '../../platform/fifo.ts';
import { rowCount, type SampleRows, sliceBlock } from '../../protocol/sample-block.ts';

/**
 * First in, first out, counted in samples; taking from the front does not move the rest, and cuts blocks where it must.
 */
export type SampleQueue = {
  readonly push: (rows: SampleRows) => void;
  /** Removes and returns the oldest `count` samples, or all when there are fewer. */
  readonly take: (count: number) => readonly SampleRows[];
  /** Samples. */
  readonly size: () => number;
};

export function createSampleQueue(): SampleQueue {
  const elements = createFifo<SampleRows>();
  /** Rows of the oldest element that have been taken. */
  let begun = 0;
  let size = 0;
  return {
    push: (rows) => {
      elements.push(rows);
      size += rowCount(rows);
    },
    take: (count) => {
      const taken: SampleRows[] = [];
      let left = Math.min(count, size);
      size -= left;
      for (let first = elements.peek(); left > 0 && first !== undefined; first = elements.peek()) {
        const rows = rowCount(first);
        const end = Math.min(rows, begun + left);
        taken.push('columns' in first ? sliceBlock(first, begun, end) : first);
        left -= end - begun;
        begun = end === rows ? 0 : end;
        if (begun === 0) elements.shift();
      }
      return taken;
    },
    size: () => size,
  };
}
