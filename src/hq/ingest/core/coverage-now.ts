/** What heartbeats and pages of coverage tell: also a commit that got through although it was said to have failed. */
import { catchError, map, type Observable, of } from 'rxjs';
import { type Coverage, EMPTY_COVERAGE } from '../../../protocol/coverage.ts';
import type { Established, Session } from './session.ts';

/** As the store has it; as the session knows it while the store cannot say. Emits once. */
export function coverageNow({ shared }: Session, { agent, epoch, view }: Established): Observable<Coverage> {
  return shared.store.epoch(agent, epoch).pipe(
    map((known) => view.found(known?.coverage ?? EMPTY_COVERAGE)),
    catchError(() => of(view.coverage())),
  );
}
