/** Who handles which message of an agent. */
import type { Observable } from 'rxjs';
import type { AgentMessageName, AgentMessages } from '../../../../protocol/agent-messages.ts';
import type { Session } from '../session.ts';
import { handleCoverage } from './coverage.ts';
import { handleFrame } from './frame.ts';
import { handleGoodbye } from './goodbye.ts';
import { handleHeartbeat } from './heartbeat.ts';
import { handleHello } from './hello.ts';
import { handleSchema } from './schema.ts';

/** First emission is the answer. Completes without one: nothing is answered. */
export type MessageHandlers = {
  readonly [N in AgentMessageName]: (
    session: Session,
    ...args: AgentMessages[N]['args']
  ) => Observable<AgentMessages[N]['reply']>;
};

export const messageHandlers: MessageHandlers = {
  hello: handleHello,
  coverage: handleCoverage,
  schema: handleSchema,
  frame: handleFrame,
  heartbeat: handleHeartbeat,
  goodbye: handleGoodbye,
};
