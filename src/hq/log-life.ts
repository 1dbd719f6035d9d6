/**
 * Which life of the arrival log this is: a random id, made at the first open that can write it, and kept in the store.
 * An offset is (id, partition, number); there is one partition. A backup that is restored gets a new id: its log goes
 * on from an earlier number, and who remembers an offset of the life before must not take the new entries for the old.
 */
import { catchError, defer, map, type Observable, of } from 'rxjs';
import { z } from 'zod';
import type { Ids } from '../platform/ids.ts';
import type { Reader, Storage } from '../storage/storage.ts';
import { LOG_LIFE_KEY } from './store/keys.ts';
import { lastNumberOf } from './store/transactions.ts';

export const LOG_ID = /^[0-9a-f]{16}$/;
const LOG_ID_BYTES = 8;

export const logOffsetSchema = z.object({
  log: z.string().regex(LOG_ID).describe('id of the life of the log'),
  partition: z.literal(0),
  number: z.int().min(0).describe('the last entry of the log; 0 before the first'),
});
export type LogOffset = z.infer<typeof logOffsetSchema>;

const lifeSchema = z.object({
  log: z.string().regex(LOG_ID),
  /** Of a life that began with a backup. */
  restored: z
    .object({
      /** When it was restored, and when the backup was made, ms. */
      ts: z.number(),
      backupTs: z.number(),
      /** Where the life before had got to when the backup was made. */
      from: logOffsetSchema,
    })
    .optional(),
});
export type LogLife = z.infer<typeof lifeSchema>;

/** Null where it was never written, as in a store of an earlier version. */
export function readLogLife(reader: Reader): LogLife | null {
  const value = reader.get(LOG_LIFE_KEY);
  if (value === undefined) return null;
  try {
    return lifeSchema.parse(JSON.parse(Buffer.from(value).toString()));
  } catch {
    return null;
  }
}

/** Null where the log has no id yet. */
export function readLogOffset(reader: Reader): LogOffset | null {
  const life = readLogLife(reader);
  return life === null ? null : { log: life.log, partition: 0, number: lastNumberOf(reader) };
}

export type LogLifeOptions = {
  readonly storage: Pick<Storage, 'read' | 'commit'>;
  readonly ids: Pick<Ids, 'hex'>;
};

/** Emits it once it is durable; null when it cannot be written now, and the next start makes it. */
export function openLogLife({ storage, ids }: LogLifeOptions): Observable<LogLife | null> {
  return defer(() => {
    const known = storage.read(readLogLife);
    return known === null ? beginLogLife({ storage, ids }).pipe(catchError(() => of(null))) : of(known);
  });
}

/** Gives the log another id, and emits it once it is durable; errors with StorageError. */
export function beginLogLife(
  { storage, ids }: LogLifeOptions,
  restored?: LogLife['restored'],
): Observable<LogLife> {
  return defer(() => {
    const life: LogLife = { log: ids.hex(LOG_ID_BYTES), ...(restored && { restored }) };
    const record = Buffer.from(JSON.stringify(life));
    return storage.commit((writer) => writer.put(LOG_LIFE_KEY, record)).pipe(map(() => life));
  });
}
