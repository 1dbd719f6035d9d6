/** The last number of the log by all records that name one, for when the record that counts them is not to be read. */
import { coverageSchema } from '../../protocol/coverage.ts';
import { entriesOf } from '../../storage/read-page.ts';
import type { Reader } from '../../storage/storage.ts';
import { decodeEpochState, parseJson } from './epoch-state.ts';
import { decodeMark } from './filed-mark.ts';
import { kindRange, parseEntryKey, parseEpochKey, parseOrderKey } from './keys.ts';
import { rollupStateKey } from './rollup-keys.ts';
import { decodeRollupState } from './rollup-state.ts';

/** 0: there is none. What is filed, saved or read counts too: its entries may have left the log and the index. */
export function lastNumberIn(reader: Reader): number {
  const newest = (kind: 'J' | 'L') => reader.keys({ ...kindRange(kind), reverse: true, limit: 1 })[0];
  const [entry, filed] = [newest('J'), newest('L')];
  let last = Math.max(
    entry === undefined ? 0 : parseEntryKey(entry),
    filed === undefined ? 0 : parseOrderKey(filed),
  );
  for (const { value } of entriesOf(reader, kindRange('M')))
    last = Math.max(last, decodeMark(value)?.number ?? 0);
  for (const { key, value } of entriesOf(reader, kindRange('E'))) {
    const rollups = decodeRollupState(reader.get(rollupStateKey(parseEpochKey(key).agent)));
    last = Math.max(last, decodeEpochState(value)?.logTo ?? 0, rollups?.to ?? 0);
  }
  for (const { value } of entriesOf(reader, kindRange('C'))) {
    const read = coverageSchema.safeParse(parseJson(value));
    if (read.success) last = Math.max(last, read.data.contiguous, read.data.ranges.at(-1)?.[1] ?? 0);
  }
  return last;
}
