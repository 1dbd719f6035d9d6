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

/** Slots at the front that may be empty before the array is shortened. */
const SLACK = 4096;

export function createSampleQueue(): SampleQueue {
  let elements: SampleRows[] = [];
  let front = 0;
  /** Rows of the first element that have been taken. */
  let begun = 0;
  let size = 0;

  const shorten = () => {
    if (front < elements.length && front <= SLACK) return;
    elements = elements.slice(front);
    front = 0;
  };

  return {
    push: (rows) => {
      elements.push(rows);
      size += rowCount(rows);
    },
    take: (count) => {
      const taken: SampleRows[] = [];
      let left = Math.min(count, size);
      size -= left;
      while (left > 0) {
        const first = elements[front] as SampleRows;
        const rows = rowCount(first);
        const end = Math.min(rows, begun + left);
        taken.push('columns' in first ? sliceBlock(first, begun, end) : first);
        left -= end - begun;
        begun = end === rows ? 0 : end;
        if (begun === 0) front += 1;
      }
      shorten();
      return taken;
    },
    size: () => size,
  };
}
