import { type BlockBuilder, createBlockBuilder } from './block-builder.ts';

/** Blocks that are used again, so that a fast replay does not take new memory for each. */
export type BlockPool = {
  /** An empty block of this width. */
  readonly take: (width: number) => BlockBuilder;
  readonly giveBack: (builder: BlockBuilder) => void;
};

/** About as many as wait for their commit. */
const MAX_SPARES = 16;

export function createBlockPool(): BlockPool {
  const spares: BlockBuilder[] = [];
  return {
    take: (width) => {
      const spare = spares.pop();
      return spare?.width === width ? spare : createBlockBuilder(width);
    },
    giveBack: (builder) => {
      builder.reset();
      if (spares.length < MAX_SPARES) spares.push(builder);
    },
  };
}
