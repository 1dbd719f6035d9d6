/** `goodbye`: the agent stops on purpose. */
import { type Observable, of } from 'rxjs';
import type { Goodbye, OkReply } from '../../../../protocol/events.ts';
import { HELLO_FIRST, type Session } from '../session.ts';

export function handleGoodbye(session: Session, { reason }: Goodbye): Observable<OkReply> {
  const held = session.established();
  if (held === null) return of(HELLO_FIRST);
  session.shared.emit({ type: 'agent_goodbye', agent: held.agent, reason });
  return of({ ok: true });
}
