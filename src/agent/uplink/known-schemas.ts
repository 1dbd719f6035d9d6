/**
 * Which schemas HQ has shown to know. A frame of one that is not known yet goes alone: what else needs it waits for the
 * answer. Else all that is in flight would be refused, and cross the link a second time.
 */
import { defer, finalize, type Observable, ReplaySubject, switchMap, tap } from 'rxjs';
import { FrameError } from '../../protocol/frame.ts';
import { readHeader, schemaRefsOf } from '../../protocol/frame-codec.ts';
import type { SchemaRef } from '../../protocol/sample.ts';

export type KnownSchemas = {
  /** `delivery` of a frame, once nothing else finds out about its schemas. */
  readonly inTurn: <T>(bytes: Uint8Array, delivery: Observable<T>) => Observable<T>;
  /** HQ says that it does not know them. */
  readonly forget: (refs: readonly SchemaRef[]) => void;
  /** HQ holds less than it once did: it may lack any. */
  readonly forgetAll: () => void;
};

export function createKnownSchemas(): KnownSchemas {
  const known = new Set<SchemaRef>();
  /** Emits and completes when the frame that asks about the schema has its answer, or lost its connection. */
  const asking = new Map<SchemaRef, Observable<void>>();

  const inTurn = <T>(bytes: Uint8Array, delivery: Observable<T>): Observable<T> =>
    defer(() => {
      const unknown = refsOf(bytes).filter((ref) => !known.has(ref));
      if (unknown.length === 0) return delivery;
      const asked = unknown.flatMap((ref) => asking.get(ref) ?? [])[0];
      if (asked !== undefined) return asked.pipe(switchMap(() => inTurn(bytes, delivery)));
      const done$ = new ReplaySubject<void>(1);
      for (const ref of unknown) asking.set(ref, done$);
      return delivery.pipe(
        tap(() => {
          for (const ref of unknown) known.add(ref);
        }),
        finalize(() => {
          for (const ref of unknown) asking.delete(ref);
          done$.next();
          done$.complete();
        }),
      );
    });

  return {
    inTurn,
    forget: (refs) => {
      for (const ref of refs) known.delete(ref);
    },
    forgetAll: () => known.clear(),
  };
}

/** What cannot be read has none: HQ says what is wrong with it. */
function refsOf(bytes: Uint8Array): readonly SchemaRef[] {
  try {
    return readHeader(bytes).kind === 'gap' ? [] : schemaRefsOf(bytes);
  } catch (error) {
    if (error instanceof FrameError) return [];
    throw error;
  }
}
