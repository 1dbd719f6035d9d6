/** Numbers the samples of a world, and says when no more are to be taken. */
export type Sampling = {
  /** The identity of the next sample. */
  readonly nextId: () => number;
  /** Samples that were taken. */
  readonly sampled: () => number;
  /** Whether sampling has ended for good. */
  readonly isQuiet: () => boolean;
  readonly becomeQuiet: () => void;
};

export function createSampling(): Sampling {
  let lastId = 0;
  let quiet = false;
  return {
    nextId: () => {
      lastId += 1;
      return lastId;
    },
    sampled: () => lastId,
    isQuiet: () => quiet,
    becomeQuiet: () => {
      quiet = true;
    },
  };
}
