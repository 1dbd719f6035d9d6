/** `schema`: what the values of later frames mean. */
import { concatMap, map, type Observable, of, tap } from 'rxjs';
import type { OkReply, SchemaMessage } from '../../../../protocol/events.ts';
import { schemaFault } from '../../../../protocol/legal-text.ts';
import { internSchema } from '../../../../protocol/schema-ref.ts';
import { settingOf } from '../known-series.ts';
import { refuse } from '../refusal.ts';
import { seenThrough } from '../seen-through.ts';
import { HELLO_FIRST, type Session, storageFailed } from '../session.ts';

export function handleSchema(session: Session, { ref, schema }: SchemaMessage): Observable<OkReply> {
  const { store, series } = session.shared;
  const held = session.established();
  if (held === null) return of(HELLO_FIRST);
  const { agent, view } = held;
  const interned = internSchema(schema);
  if (interned.ref !== ref) {
    return of(refuse('bad_request', `schema: its content address is ${interned.ref}, not ${ref}`));
  }
  if (view.seriesOf(ref) !== undefined) return of({ ok: true });
  const fault = schemaFault(schema);
  if (fault !== null) {
    session.refusedSchemas.set(ref, refuse('bad_frame', `schema ${ref}: ${fault}`));
    return of(refuse('bad_request', `schema: ${fault}`));
  }
  return series.claim(agent, [interned]).pipe(
    concatMap((places): Observable<OkReply> => {
      if ('waitMs' in places) {
        const message = 'this agent brings new schemas faster than HQ allows';
        return of(refuse('rate_limited', message, { retryAfterMs: places.waitMs }));
      }
      if (!places.ok) {
        const kept =
          'what' in places
            ? `HQ keeps ${places.max} ${places.what} of one agent (${settingOf(places.what)}) for as long as samples need them`
            : `HQ keeps ${series.max} series of one agent (limits.maxSeries)`;
        session.refusedSchemas.set(ref, refuse('too_many_series', `${kept}; this frame has others`));
        return of(refuse('too_many_series', `${kept}; this schema goes beyond`));
      }
      return seenThrough(store.putSchema(agent, interned), places.end).pipe(
        tap(() => session.established()?.view.addSchema({ ref, series: interned.series.length })),
        map(() => ({ ok: true })),
      );
    }),
    storageFailed(session, 'schema'),
  );
}
