/** Keys of rollups; keys.ts has their layout. */
import { asBuffer, HOUR_BIAS, HOUR_BYTES, type KeyRange, scoped } from './keys.ts';

export type RollupKeyParts = {
  readonly ref: string;
  /** Index of the resolution. */
  readonly resolution: number;
  readonly block: number;
  /** How often it was merged. */
  readonly level: number;
  /** Tells parts of one block apart. */
  readonly number: number;
};
const ROLLUP_BYTES = 19;

/** Of a state or a part. */
export function agentOfRollup(key: Uint8Array): string {
  const bytes = asBuffer(key);
  return bytes.toString('latin1', 1, bytes.indexOf(0));
}

export const rollupStateKey = (agent: string): Uint8Array => scoped('U', agent, 0).key;

export function rollupKey(agent: string, parts: RollupKeyParts): Uint8Array {
  const { key, at } = scoped('U', agent, ROLLUP_BYTES);
  key.write(parts.ref, at, 6, 'hex');
  key[at + 6] = parts.resolution;
  key.writeUIntBE(parts.block + HOUR_BIAS, at + 7, HOUR_BYTES);
  key[at + 12] = parts.level;
  key.writeUIntBE(parts.number, at + 13, 6);
  return key;
}

/** At or before all parts of a schema and resolution. */
export const firstRollupKey = (agent: string, of: Pick<RollupKeyParts, 'ref' | 'resolution'>): Uint8Array =>
  rollupKey(agent, { ...of, block: -HOUR_BIAS, level: 0, number: 0 });

export function parseRollupKey(bytes: Uint8Array): RollupKeyParts {
  const key = asBuffer(bytes);
  const at = key.length - ROLLUP_BYTES;
  return {
    ref: key.toString('hex', at, at + 6),
    resolution: key[at + 6] ?? 0,
    block: key.readUIntBE(at + 7, HOUR_BYTES) - HOUR_BIAS,
    level: key[at + 12] ?? 0,
    number: key.readUIntBE(at + 13, 6),
  };
}

/** Parts of the blocks `from ≤ block < to`. */
export function rollupRange(
  agent: string,
  { ref, resolution, from, to }: { ref: string; resolution: number; from: number; to: number },
): KeyRange {
  const bound = (block: number) => rollupKey(agent, { ref, resolution, block, level: 0, number: 0 });
  return { from: bound(from), to: bound(to) };
}
