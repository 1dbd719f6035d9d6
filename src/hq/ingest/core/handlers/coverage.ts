/** `coverage`: a further page of what HQ holds of the epoch. */
import { map, type Observable, of } from 'rxjs';
import type { CoverageReply, CoverageRequest } from '../../../../protocol/events.ts';
import { coveragePage } from '../answered-coverage.ts';
import { coverageNow } from '../coverage-now.ts';
import { HELLO_FIRST, type Session } from '../session.ts';

export function handleCoverage(session: Session, { after }: CoverageRequest): Observable<CoverageReply> {
  const held = session.established();
  if (held === null) return of(HELLO_FIRST);
  return coverageNow(session, held).pipe(map((coverage) => ({ ok: true, ...coveragePage(coverage, after) })));
}
