/** What HQ tells of those it does not let in. */
import { defineEvent } from '../platform/telemetry.ts';

export const refusalEvents = {
  agent_refused: defineEvent<{
    address: string;
    reason: 'token' | 'host' | 'origin';
    over: 'link' | 'http';
    /** Episodes that began since the last such line and have none of their own. */
    untold: number;
  }>({
    level: 'warn',
    message:
      'an agent is refused, and will be for as long as it tries like this: give it the token of HQ (HOLDFAST_AGENT_TOKEN or --token-file)',
    metrics: [],
  }),
};
