/** `coverage`: a further page of what HQ holds of the epoch. */
import { type Observable, of } from 'rxjs';
import type { CoverageReply, CoverageRequest } from '../../../../protocol/events.ts';
import { coveragePage } from '../ack-coverage.ts';
import { HELLO_FIRST, type Session } from '../session.ts';

export function handleCoverage(session: Session, { after }: CoverageRequest): Observable<CoverageReply> {
  const held = session.established();
  if (held === null) return of(HELLO_FIRST);
  return of({ ok: true, ...coveragePage(held.view.coverage(), after) });
}
