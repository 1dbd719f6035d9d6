import type { AgentSummary } from '../../../protocol/fleet.ts';

/** A connected agent that has done nothing yet. */
export const agent = (id: string, changes: Partial<AgentSummary> = {}): AgentSummary => ({
  id,
  epoch: null,
  connected: true,
  state: 'live',
  breaker: 'closed',
  version: null,
  connectedSince: null,
  lastSampleTs: null,
  lastArrivalTs: null,
  lagMs: null,
  clockOffsetMs: null,
  rttMs: null,
  samplesPerSecond: 0,
  sampled: 0,
  stored: 0,
  pending: 0,
  pendingBytes: 0,
  dropped: 0,
  completeness: 1,
  openAnomalies: 0,
  anomaliesTotal: 0,
  seriesCount: 0,
  alarm: null,
  ...changes,
});
