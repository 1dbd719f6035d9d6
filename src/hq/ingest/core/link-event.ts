/** What happens to the links of agents, for the fleet state. */

import type { AgentAlarm, RefusalReason } from '../../../protocol/api.ts';
import type { Heartbeat } from '../../../protocol/events.ts';
import type { Labels } from '../../../protocol/labels.ts';
import type { Epoch } from '../../../protocol/sample.ts';

export type LinkEvent =
  | {
      readonly kind: 'connected';
      readonly agent: string;
      readonly epoch: Epoch;
      readonly version: string;
      /** HQ's wall time, ms. */
      readonly ts: number;
      readonly sampled: number;
      readonly clockOffsetMs: number;
      /** That it tells; absent: none. */
      readonly labels?: Labels | undefined;
    }
  | {
      readonly kind: 'heartbeat';
      readonly agent: string;
      readonly heartbeat: Heartbeat;
      /** Agent's wall clock minus HQ's, ms. */
      readonly clockOffsetMs: number;
      readonly ts: number;
    }
  /** HQ has not accepted its hello. */
  | {
      readonly kind: 'hello_refused';
      readonly agent: string;
      readonly reason: RefusalReason;
      readonly detail: string;
      readonly ts: number;
    }
  /** HQ takes no frames just now, and has refused one. */
  | { readonly kind: 'refused'; readonly agent: string; readonly ts: number }
  /**
   * Another one claimed to be this agent or came with a journal that may be a copy and was refused, HQ lacks what it
   * once held, or removes samples of it.
   */
  | {
      readonly kind: 'alarm';
      readonly agent: string;
      readonly alarm: AgentAlarm['kind'];
      readonly detail: string;
      readonly ts: number;
    }
  | { readonly kind: 'disconnected'; readonly agent: string; readonly reason: string; readonly ts: number };
