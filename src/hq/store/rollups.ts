/** The rollups of the store: who makes them, what is kept, and how they are read. */
import { errorText } from '../../platform/error-text.ts';
import type { Storage } from '../../storage/storage.ts';
import type { Resolution } from '../rollups/resolutions.ts';
import {
  createRollupKeeper,
  DEFAULT_MAX_LAG,
  type RollupKeeper,
  type RollupKeeperOptions,
} from './rollup-keeper.ts';
import type { RollupSource } from './rollup-reader.ts';
import {
  createRollupRetention,
  ROLLUP_KEEP_MS,
  type RollupRetention,
  type RollupRetentionOptions,
} from './rollup-retention.ts';
import type { Transactions } from './transactions.ts';

export type RollupsOptions = Omit<RollupKeeperOptions, 'isKept' | 'maxLag' | 'onError'> &
  Omit<RollupRetentionOptions, 'keepMs'> & {
    /** How long rollups by 10 s, 1 min, 1 h and 1 day are kept, ms. Default 7, 30 and 400 days, and for ever. */
    readonly rollupKeepMs?: readonly number[];
    /** Frames that may wait in the log for the rollups, all agents together. Default a million. */
    readonly maxRollupLag?: number;
  };

export type Rollups = Pick<RollupRetention, 'keptFrom' | 'sweep'> & { readonly keeper: RollupKeeper };

export function createRollups(options: RollupsOptions): Rollups {
  const { rollupKeepMs = ROLLUP_KEEP_MS, maxRollupLag = DEFAULT_MAX_LAG, emit } = options;
  const { keptFrom, isKept, sweep } = createRollupRetention({ ...options, keepMs: rollupKeepMs });
  const keeper = createRollupKeeper({
    ...options,
    isKept,
    maxLag: maxRollupLag,
    onError: (error) => emit({ type: 'store_background_failed', task: 'rollups', error: errorText(error) }),
  });
  return { keptFrom, sweep, keeper };
}

export const rollupSource = (
  storage: Storage,
  { durable }: Transactions,
  keptFrom: (resolution: Resolution) => number,
): RollupSource => ({ storage, unrolled: (agent) => durable.unrolled.get(agent) ?? [], keptFrom });
