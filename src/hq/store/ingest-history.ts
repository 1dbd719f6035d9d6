/** What the graph of ingest shows, as the store keeps it: a few small records, by name. */
import { z } from 'zod';
import { chaosSpanSchema } from '../../protocol/api.ts';
import type { Storage } from '../../storage/storage.ts';
import { parseJson, toJson } from './epoch-state.ts';
import { historyKey, kindRange, nameOfHistory } from './keys.ts';
import type { Transaction } from './transactions.ts';

/** Records read at most. */
const MAX_RECORDS = 64;

const historyRecordSchema = z.object({
  /** Time, samples and bytes of a second each. */
  points: z.array(z.tuple([z.number(), z.number(), z.number()])),
  spans: z.array(chaosSpanSchema),
});
export type HistoryRecord = z.infer<typeof historyRecordSchema>;

/** By name; those that cannot be read are left out. */
export function readHistory(storage: Storage): ReadonlyMap<string, HistoryRecord> {
  const found = new Map<string, HistoryRecord>();
  for (const { key, value } of storage.read((reader) =>
    reader.range({ ...kindRange('R'), limit: MAX_RECORDS }),
  )) {
    const parsed = historyRecordSchema.safeParse(parseJson(value));
    if (parsed.success) found.set(nameOfHistory(key), parsed.data);
  }
  return found;
}

/** `null` removes. */
export function writeHistory(
  { writer }: Transaction,
  changes: ReadonlyMap<string, HistoryRecord | null>,
): void {
  for (const [name, record] of changes) {
    if (record === null) writer.remove(historyKey(name));
    else writer.put(historyKey(name), toJson(record));
  }
}
