/**
 * Which HQ this is: a random name, made at its first start and kept for good. Agents refuse to go on with another HQ,
 * at which what they have delivered would count as lost.
 *
 * It lies in the store, so that a backup has it, and a copy alongside the store, so that it outlives a store that had
 * to be moved aside.
 */
import { catchError, defer, map, type Observable, of } from 'rxjs';
import { z } from 'zod';
import type { Ids } from '../platform/ids.ts';
import { hqIdentitySchema } from '../protocol/events.ts';
import type { Reader, Storage } from '../storage/storage.ts';
import { IDENTITY_KEY } from './store/keys.ts';

/** A place alongside the store. */
export type IdentityCopy = {
  /** Null when there is none that can be used. */
  readonly read: () => string | null;
  /** Throws when it cannot be written. */
  readonly write: (identity: string) => void;
};

export type IdentityOptions = {
  readonly storage: Pick<Storage, 'read' | 'commit'>;
  readonly ids: Pick<Ids, 'hex'>;
  readonly copy?: IdentityCopy | undefined;
};

const IDENTITY_BYTES = 8;
const recordSchema = z.object({ identity: hqIdentitySchema });

/**
 * Emits it once it is durable, or null when it can be written nowhere: then agents are told none, rather than one that
 * the next start forgets.
 */
export function openIdentity({ storage, ids, copy }: IdentityOptions): Observable<string | null> {
  return defer(() => {
    const stored = storage.read(readIdentity);
    const copied = copy?.read() ?? null;
    const identity = stored ?? copied ?? ids.hex(IDENTITY_BYTES);
    const isCopied = copied === identity || writes(copy, identity);
    if (stored !== null) return of(stored);
    const record = Buffer.from(JSON.stringify({ identity }));
    return storage
      .commit((writer) => writer.put(IDENTITY_KEY, record))
      .pipe(
        map(() => true),
        catchError(() => of(false)),
        map((isStored) => (isStored || isCopied ? identity : null)),
      );
  });
}

function writes(copy: IdentityCopy | undefined, identity: string): boolean {
  try {
    copy?.write(identity);
    return copy !== undefined;
  } catch {
    return false;
  }
}

/** As the store says; null where it says nothing. */
export function readIdentity(reader: Reader): string | null {
  const value = reader.get(IDENTITY_KEY);
  if (value === undefined) return null;
  try {
    return recordSchema.parse(JSON.parse(Buffer.from(value).toString())).identity;
  } catch {
    return null;
  }
}
