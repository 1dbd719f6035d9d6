/** What every query of stored frames needs. */
import type { Epoch } from '../../protocol/sample.ts';
import type { RollupSource } from './rollup-reader.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';
import type { FrameSource } from './time-index.ts';

export type QueryContext = FrameSource & {
  readonly schemas: SchemaCatalogue;
  /** Undefined: everything is answered from raw samples. */
  readonly rollups?: RollupSource;
  /** Told of a frame whose payload does not decode; it is left out. */
  readonly onBadFrame: (agent: string, epoch: Epoch, seq: number, error: unknown) => void;
  /** How far a sample may be ahead of HQ's clock before it is marked. */
  readonly maxAheadMs: number;
};
