/** `heartbeat`: how the agent fares; the answer tells what HQ holds. */
import { concatMap, EMPTY, type Observable, of } from 'rxjs';
import type { Heartbeat, HeartbeatReply } from '../../../../protocol/events.ts';
import { ackCoverage } from '../ack-coverage.ts';
import { downOnPurpose, HELLO_FIRST, type Session } from '../session.ts';

export function handleHeartbeat(session: Session, heartbeat: Heartbeat): Observable<HeartbeatReply> {
  const { shared, hint } = session;
  const { store, clock } = shared;
  const now = clock.now();
  return shared.chaos.admit().pipe(
    concatMap((verdict): Observable<HeartbeatReply> => {
      if (verdict === 'lose') return EMPTY;
      const held = session.established();
      if (held === null) return of(HELLO_FIRST);
      const { agent, epoch } = held;
      // Heard is heard, also when chaos has HQ refuse it: the dashboard shows how the agent fares meanwhile.
      store.observeSampled(agent, epoch, heartbeat.sampled);
      shared.drains.heard(agent, heartbeat.sampled);
      const clockOffsetMs = shared.offsetOf(agent).observe(heartbeat.ts, now, heartbeat.rttMs);
      shared.link({ kind: 'heartbeat', agent, heartbeat, clockOffsetMs, ts: now });
      if (verdict === 'refuse') return of(downOnPurpose());
      return of({
        ok: true,
        hqTs: clock.now(),
        ack: ackCoverage(store.coverage(agent, epoch)),
        storing: shared.isStoring(),
        ...hint.changed(),
      });
    }),
  );
}
