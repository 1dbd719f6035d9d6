import type { Sample } from '../../protocol/sample.ts';

/** First in, first out; taking from the front does not move the rest. */
export type SampleQueue = {
  readonly push: (sample: Sample) => void;
  /** Removes and returns the oldest `count`, or all when there are fewer. */
  readonly take: (count: number) => readonly Sample[];
  readonly size: () => number;
};

/** Slots at the front that may be empty before the array is shortened. */
const SLACK = 4096;

export function createSampleQueue(): SampleQueue {
  let samples: Sample[] = [];
  let front = 0;
  return {
    push: (sample) => {
      samples.push(sample);
    },
    take: (count) => {
      const taken = samples.slice(front, front + count);
      front += taken.length;
      if (front === samples.length || front > SLACK) {
        samples = samples.slice(front);
        front = 0;
      }
      return taken;
    },
    size: () => samples.length - front,
  };
}
