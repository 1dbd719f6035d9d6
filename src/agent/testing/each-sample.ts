import { concatMap, type OperatorFunction } from 'rxjs';
import { unfold } from '../../protocol/codec/testing/blocks.ts';
import type { RawRows, RawSample } from '../sources/source.ts';

/** What a source gives, sample by sample. */
export function eachSample(): OperatorFunction<RawRows, RawSample> {
  return concatMap((rows) => ('columns' in rows ? unfold({ ...rows, notes: [] }) : [rows]));
}
