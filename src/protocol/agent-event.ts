/** What has happened to an agent, as HQ's API has it. Times are epoch ms, HQ's clock. */
import { z } from 'zod';
import { agentSummarySchema } from './api.ts';
import { setLabelsSchema } from './labels.ts';

export const AGENT_EVENT_KINDS = [
  'state',
  'connected',
  'disconnected',
  'epoch',
  'clock_jump',
  'paused',
  'resumed',
  'alarm_raised',
  'alarm_over',
  'labels_set',
  'retired',
  'left_out',
  'hq_started',
  'hq_stopped',
  'chaos',
] as const;

export const agentEventSchema = z.object({
  ts: z.number().describe('when HQ saw it'),
  of: z.enum(['agent', 'hq']).describe('hq: it concerns all agents'),
  kind: z
    .enum(AGENT_EVENT_KINDS)
    .describe(
      'state: HQ takes it to be in another state; connected, disconnected: its link; epoch: a journal that HQ had not heard of; clock_jump: its clock moved against that of HQ; paused, resumed: it sends no frames, as it says; alarm_raised, alarm_over; labels_set; retired; left_out: more happened than HQ keeps; hq_started, hq_stopped; chaos: what HQ does to its own link',
    ),
  state: agentSummarySchema.shape.state.optional().describe('of state: the new one'),
  before: z.string().optional().describe('of state and epoch: what it was'),
  epoch: z.string().optional().describe('of connected and epoch'),
  version: z.string().optional().describe('of connected: that of the agent'),
  alarm: z.string().optional().describe('of alarm_raised and alarm_over: its kind'),
  reason: z.string().optional().describe('of disconnected, paused, and state when it is refused'),
  effect: z.string().optional().describe('of chaos: none, slow, lossy, down'),
  byMs: z.number().optional().describe('of clock_jump: how far it moved, negative: back'),
  until: z.number().optional().describe('of paused: when it means to go on'),
  labels: setLabelsSchema.optional().describe('of labels_set: all that HQ sets since'),
  count: z.number().optional().describe('of left_out: how many events'),
  detail: z.string().optional().describe('for people'),
});
export type AgentEvent = z.infer<typeof agentEventSchema>;
