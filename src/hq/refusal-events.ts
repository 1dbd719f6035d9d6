/** What HQ tells of those it does not let in. */
import { defineEvent } from '../platform/telemetry.ts';
import type { RefusalReason } from '../protocol/api.ts';

export const refusalEvents = {
  agent_refused: defineEvent<{
    address: string;
    reason: RefusalReason;
    over: 'link' | 'http';
    /** Who it says it is; null: it does not say. */
    agent: string | null;
    /** What to do about it. */
    advice: string;
    /** Episodes that began since the last such line and have none of their own. */
    untold: number;
  }>({
    level: 'warn',
    message: 'an agent is refused; as long as it goes on like this, its tries are counted and not logged',
    metrics: [],
  }),
};
