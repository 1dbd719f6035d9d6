/** Tells operators of agents whose hello HQ does not accept. */
import { z } from 'zod';
import type { RefusalReason } from '../../../protocol/api.ts';
import type { WireError } from '../../../protocol/events.ts';
import { agentIdSchema } from '../../../protocol/sample.ts';
import { reasonOf } from '../../refusal-advice.ts';
import type { Session } from './session.ts';

/** All that is read of a hello that may be none. */
const claimSchema = z.object({ agent: agentIdSchema });

/** `said`: the hello as it came. What HQ refuses for its own trouble is no news of the agent. */
export function noteRefusedHello(session: Session, said: unknown, { code, message }: WireError): void {
  const reason = reasonOf(code);
  if (reason === null) return;
  const claim = claimSchema.safeParse(said);
  tellRefusedHello(session, { agent: claim.data?.agent ?? null, reason, detail: message });
}

export function tellRefusedHello(
  { shared, transport }: Session,
  refused: { readonly agent: string | null; readonly reason: RefusalReason; readonly detail: string },
): void {
  const { agent, reason, detail } = refused;
  shared.emit({ type: 'hello_refused', agent, address: transport.address, reason, detail });
  if (agent !== null) shared.link({ kind: 'hello_refused', agent, reason, detail, ts: shared.clock.now() });
}
