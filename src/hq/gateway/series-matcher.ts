/** Series by the name of a metric, by key, or by how they begin: as people name several at once. */
import { z } from 'zod';
import { nameOfKey } from '../../protocol/series-key.ts';

const SERIES =
  'must be the name of a metric, the key of a series, or the beginning of either with a * behind it';
const pattern = z.string({ error: SERIES }).min(1, SERIES).max(20_000, SERIES);
export const seriesPatternSchema = z
  .union([pattern, z.array(pattern).min(1).max(100)])
  .describe(
    'only series of this metric (`hw.gpu.utilization`), of this key, or that begin with what stands before a `*`; it may repeat',
  );

/** Whether a series is wanted, by its key. */
export type SeriesMatcher = (key: string) => boolean;

/** `wanted` empty: all are. */
export function seriesMatcher(wanted: readonly string[]): SeriesMatcher {
  const exact = new Set(wanted.filter((text) => !text.endsWith('*')));
  const beginnings = wanted.filter((text) => text.endsWith('*')).map((text) => text.slice(0, -1));
  return (key) =>
    wanted.length === 0 ||
    exact.has(key) ||
    exact.has(nameOfKey(key)) ||
    beginnings.some((beginning) => key.startsWith(beginning));
}
