/**
 * Messages of HQ as events. An agent that cannot be read is left out and counted, and does not take the others with it.
 * Pure.
 */
import { z } from 'zod';
import {
  type AgentSummary,
  agentSummarySchema,
  type FleetDelta,
  type FleetSnapshot,
  fleetDeltaSchema,
  fleetSnapshotSchema,
} from '../../protocol/api.ts';

export type ConnectionEvent =
  | { readonly kind: 'link'; readonly link: 'connecting' | 'up' | 'down' }
  /** `at`: monotonic ms of the arrival. `unreadable`: agents of it that this dashboard does not understand. */
  | {
      readonly kind: 'snapshot';
      readonly snapshot: FleetSnapshot;
      readonly at: number;
      readonly unreadable?: number;
    }
  | { readonly kind: 'delta'; readonly delta: FleetDelta; readonly at: number; readonly unreadable?: number }
  /** HQ sent something that this dashboard does not understand: most likely their versions differ. */
  | { readonly kind: 'damaged'; readonly detail: string }
  | { readonly kind: 'unauthorized'; readonly message: string };

const anyAgents = { agents: z.array(z.unknown()) };
const snapshotSchema = fleetSnapshotSchema.extend(anyAgents);
const deltaSchema = fleetDeltaSchema.extend(anyAgents);

function readAgents(found: readonly unknown[]) {
  const agents: AgentSummary[] = [];
  for (const one of found) {
    const parsed = agentSummarySchema.safeParse(one);
    if (parsed.success) agents.push(parsed.data);
  }
  return { agents, unreadable: found.length - agents.length };
}

const damaged = (error: z.ZodError): ConnectionEvent => ({ kind: 'damaged', detail: z.prettifyError(error) });

/** `at`: monotonic ms of the arrival. */
export function readSnapshot(message: unknown, at: number): ConnectionEvent {
  const parsed = snapshotSchema.safeParse(message);
  if (!parsed.success) return damaged(parsed.error);
  const { agents, unreadable } = readAgents(parsed.data.agents);
  return { kind: 'snapshot', snapshot: { ...parsed.data, agents }, at, unreadable };
}

/** The same of what has changed. */
export function readDelta(message: unknown, at: number): ConnectionEvent {
  const parsed = deltaSchema.safeParse(message);
  if (!parsed.success) return damaged(parsed.error);
  const { agents, unreadable } = readAgents(parsed.data.agents);
  return { kind: 'delta', delta: { ...parsed.data, agents }, at, unreadable };
}
