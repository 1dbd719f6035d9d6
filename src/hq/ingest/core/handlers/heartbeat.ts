/** `heartbeat`: how the agent fares; the answer tells what HQ holds. */
import { catchError, concatMap, defer, EMPTY, map, type Observable, of, switchMap, tap } from 'rxjs';
import { errorText } from '../../../../platform/error-text.ts';
import { covers } from '../../../../protocol/coverage.ts';
import type { Heartbeat, HeartbeatReply } from '../../../../protocol/events.ts';
import { ackCoverage } from '../answered-coverage.ts';
import { coverageNow } from '../coverage-now.ts';
import { refuse } from '../refusal.ts';
import { downOnPurpose, type Established, HELLO_FIRST, noteLost, type Session } from '../session.ts';

export function handleHeartbeat(session: Session, heartbeat: Heartbeat): Observable<HeartbeatReply> {
  const { shared, hint } = session;
  const { store, clock } = shared;
  const now = clock.now();
  return shared.chaos.admit().pipe(
    concatMap((verdict): Observable<HeartbeatReply> => {
      if (verdict === 'lose') return EMPTY;
      const held = session.established();
      if (held === null) return of(HELLO_FIRST);
      if (heartbeat.released > heartbeat.sampled)
        return of(refuse('bad_request', 'heartbeat: released is beyond sampled'));
      const { agent, epoch, view } = held;
      // Heard is heard, also when chaos has HQ refuse it: the dashboard shows how the agent fares meanwhile.
      store.observeSampled(agent, epoch, heartbeat.sampled);
      shared.drains.heard(agent, heartbeat.sampled);
      const clockOffsetMs = shared.offsetOf(agent).observe(heartbeat.ts, now, heartbeat.rttMs);
      shared.link({ kind: 'heartbeat', agent, heartbeat, clockOffsetMs, ts: now });
      if (verdict === 'refuse') return of(downOnPurpose());
      return noteReleased(session, held, heartbeat).pipe(
        map(() => ({
          ok: true,
          hqTs: clock.now(),
          ack: ackCoverage(view.coverage()),
          storing: shared.isStoring(),
          ...hint.changed(),
        })),
      );
    }),
  );
}

/**
 * What has left the journal and HQ does not have will never come. Frames that wait for their commit are seen through
 * first; what the storage does not take now is said again by the next heartbeat.
 */
function noteReleased(
  session: Session,
  held: Established,
  { sampled, released }: Heartbeat,
): Observable<unknown> {
  const { store, clock, settled, emit } = session.shared;
  const { agent, epoch, view } = held;
  const lacksNone = coverageNow(session, held).pipe(map((coverage) => covers(coverage, 1, released)));
  const note = defer(() => store.noteEpoch({ agent, epoch, sampled, released, ts: clock.now() })).pipe(
    tap(({ coverage, lost }) => {
      view.found(coverage);
      noteLost(session, agent, epoch, lost);
    }),
  );
  return lacksNone.pipe(
    switchMap((none) => (none ? of(true) : settled(agent).pipe(switchMap(() => lacksNone)))),
    switchMap((none) => (none ? of(null) : note)),
    catchError((error: unknown) => {
      emit({ type: 'handler_failed', event: 'heartbeat', agent, error: errorText(error) });
      return of(null);
    }),
  );
}
