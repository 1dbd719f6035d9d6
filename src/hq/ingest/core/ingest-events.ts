/** What ingest tells of itself. */
import { defineEvent, type Emit } from '../../../platform/telemetry.ts';
import type { RefusalReason } from '../../../protocol/api.ts';
import type { Lane, WireErrorCode } from '../../../protocol/events.ts';
import { halfOpenEvents } from '../../half-open-events.ts';

const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export const ingestEvents = {
  ...halfOpenEvents,
  agent_connected: defineEvent<{ agent: string; epoch: string; version: string; connected: number }>({
    level: 'info',
    message: 'agent connected',
    metrics: [
      {
        name: 'holdfast_hq_hellos_total',
        kind: 'counter',
        help: 'Accepted hellos of agents.',
      },
    ],
  }),
  agent_disconnected: defineEvent<{ agent: string; reason: string; connected: number }>({
    level: 'info',
    message: 'agent disconnected',
    metrics: [],
  }),
  /** `reason`: null when they go again. `until`: epoch ms, by the agent's clock. */
  agent_paused: defineEvent<{ agent: string; reason: string | null; until: number | null }>({
    level: 'info',
    message: 'whether frames of an agent wait, by its own word, has changed',
    metrics: [],
  }),
  duplicate_agent: defineEvent<{ agent: string; address: string; detail: string }>({
    level: 'warn',
    message: 'two agents claim one id; the second is refused',
    metrics: [
      {
        name: 'holdfast_hq_duplicate_agents_total',
        kind: 'counter',
        help: 'Hellos refused because another live connection has the id, by agent.',
        labelNames: ['agent'],
        labels: ({ agent }) => ({ agent }),
      },
    ],
  }),
  forked_epoch: defineEvent<{ agent: string; address: string; detail: string }>({
    level: 'warn',
    message:
      'a journal that is a copy, was rolled back or was damaged was refused; its agent begins a new epoch',
    metrics: [
      {
        name: 'holdfast_hq_forked_epochs_total',
        kind: 'counter',
        help: 'Hellos refused because the journal is a copy, was rolled back or was damaged, by agent.',
        labelNames: ['agent'],
        labels: ({ agent }) => ({ agent }),
      },
    ],
  }),
  lost_at_hq: defineEvent<{ agent: string; epoch: string; samples: number }>({
    level: 'warn',
    message: 'samples are accounted as lost: HQ no longer holds them and the agent no longer has them',
    metrics: [
      {
        name: 'holdfast_hq_lost_samples_total',
        kind: 'counter',
        help: 'Samples accounted as lost_at_hq, by agent: acked by HQ before it was restored or wiped, and gone from the agent.',
        labelNames: ['agent'],
        labels: ({ agent }) => ({ agent }),
        value: ({ samples }) => samples,
      },
    ],
  }),
  known_agents: defineEvent<{ agents: number; maxAgents: number }>({
    level: null,
    message: 'agents that HQ knows',
    metrics: [
      {
        name: 'holdfast_hq_known_agents',
        kind: 'gauge',
        help: 'Agents that HQ knows, whichever way they came, and that are not retired; limits.maxAgents at most.',
        value: ({ agents }) => agents,
      },
    ],
  }),
  no_place: defineEvent<{ maxAgents: number }>({
    level: 'warn',
    message: 'HQ knows as many agents as it takes (limits.maxAgents), and refuses others: retire some',
    metrics: [
      {
        name: 'holdfast_hq_refused_agents_total',
        kind: 'counter',
        help: 'Hellos and deliveries over HTTP refused because HQ knows as many agents as it takes.',
      },
    ],
  }),
  agent_goodbye: defineEvent<{ agent: string; reason: string }>({
    level: 'info',
    message: 'agent said goodbye',
    metrics: [],
  }),
  agent_sockets: defineEvent<{ sockets: number }>({
    level: null,
    message: 'sockets in /agents',
    metrics: [
      {
        name: 'holdfast_hq_agent_sockets',
        kind: 'gauge',
        help: 'Connections in the namespace /agents, with or without a hello.',
        value: ({ sockets }) => sockets,
      },
    ],
  }),
  agent_unauthorized: defineEvent<{ address: string; reason: 'token' | 'host' | 'origin' }>({
    level: 'debug',
    message: 'connection to /agents refused',
    metrics: [
      {
        name: 'holdfast_access_refusals_total',
        kind: 'counter',
        help: 'Requests and connections refused for their token, host or origin.',
        labelNames: ['role', 'reason'],
        labels: ({ reason }) => ({ role: 'agent', reason }),
      },
    ],
  }),
  hello_refused: defineEvent<{
    agent: string | null;
    address: string;
    reason: RefusalReason;
    detail: string;
  }>({
    level: 'debug',
    message: 'hello of an agent refused',
    metrics: [],
  }),
  frames_answered: defineEvent<{
    lane: Lane;
    outcome: 'stored' | 'duplicate' | 'refused' | 'lost';
    durationMs: number;
  }>({
    level: null,
    message: 'frame answered',
    metrics: [
      {
        name: 'holdfast_hq_frames_total',
        kind: 'counter',
        help: 'Frames received from agents, by lane and what became of them.',
        labelNames: ['lane', 'outcome'],
        labels: ({ lane, outcome }) => ({ lane, outcome }),
      },
      {
        name: 'holdfast_hq_ack_seconds',
        kind: 'histogram',
        help: 'Time from the arrival of a frame to its answer, by lane.',
        value: ({ durationMs }) => durationMs / 1000,
        labelNames: ['lane'],
        labels: ({ lane }) => ({ lane }),
        buckets: SECONDS,
      },
    ],
  }),
  commit: defineEvent<{
    frames: number;
    bytes: number;
    stored: number;
    duplicates: number;
    thinned: number;
    dropped: number;
    durationMs: number;
    queuedBytes: number;
    queuedFrames: number;
  }>({
    level: null,
    message: 'group committed',
    metrics: [
      {
        name: 'holdfast_hq_stored_samples_total',
        kind: 'counter',
        help: 'Samples from agents stored whole, each once.',
        value: ({ stored }) => stored,
      },
      {
        name: 'holdfast_hq_duplicate_samples_total',
        kind: 'counter',
        help: 'Seqs that came again and changed nothing.',
        value: ({ duplicates }) => duplicates,
      },
      {
        name: 'holdfast_hq_thinned_samples_total',
        kind: 'counter',
        help: 'Samples of which agents with full journals kept only statistics, accounted as thinned.',
        value: ({ thinned }) => thinned,
      },
      {
        name: 'holdfast_hq_dropped_samples_total',
        kind: 'counter',
        help: 'Samples that agents reported as lost, accounted as gaps.',
        value: ({ dropped }) => dropped,
      },
      {
        name: 'holdfast_hq_received_bytes_total',
        kind: 'counter',
        help: 'Bytes of committed frames of agents.',
        value: ({ bytes }) => bytes,
      },
      {
        name: 'holdfast_hq_commit_seconds',
        kind: 'histogram',
        help: 'Time of one group commit, flush included.',
        value: ({ durationMs }) => durationMs / 1000,
        buckets: SECONDS,
      },
      {
        name: 'holdfast_hq_commit_frames',
        kind: 'histogram',
        help: 'Frames and deliveries over HTTP in one group commit.',
        value: ({ frames }) => frames,
        buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000],
      },
      {
        name: 'holdfast_hq_queue_bytes',
        kind: 'gauge',
        help: 'Bytes of frames and of deliveries over HTTP that wait for a commit or are in one.',
        value: ({ queuedBytes }) => queuedBytes,
      },
      {
        name: 'holdfast_hq_queue_frames',
        kind: 'gauge',
        help: 'Frames and deliveries over HTTP that wait for a commit or are in one.',
        value: ({ queuedFrames }) => queuedFrames,
      },
    ],
  }),
  drain_slots: defineEvent<{ taken: number; waiting: number }>({
    level: null,
    message: 'turns to drain changed',
    metrics: [
      {
        name: 'holdfast_hq_drain_slots_taken',
        kind: 'gauge',
        help: 'Slots to drain a backlog that are taken: limits.drainSlots, and more for the rest of a turn in which an agent became faster.',
        value: ({ taken }) => taken,
      },
      {
        name: 'holdfast_hq_drain_waiting_agents',
        kind: 'gauge',
        help: 'Agents with a backlog that wait for their turn to drain it.',
        value: ({ waiting }) => waiting,
      },
    ],
  }),
  held_back: defineEvent<{ agent: string | null }>({
    level: null,
    message: 'agent held back',
    metrics: [
      {
        name: 'holdfast_hq_held_back_total',
        kind: 'counter',
        help: 'Times that HQ stopped reading from an agent that sends faster than it may.',
      },
    ],
  }),
  commit_failed: defineEvent<{ frames: number; error: string }>({
    level: 'error',
    message: 'commit failed; what was in it was not acked and will come again',
    metrics: [
      {
        name: 'holdfast_hq_commit_failures_total',
        kind: 'counter',
        help: 'Group commits that failed.',
      },
    ],
  }),
  refused: defineEvent<{ event: string; code: WireErrorCode; agent: string | null; detail: string }>({
    level: 'debug',
    message: 'message of an agent refused',
    metrics: [
      {
        name: 'holdfast_hq_refusals_total',
        kind: 'counter',
        help: 'Messages of agents refused, by event and code.',
        labelNames: ['event', 'code'],
        labels: ({ event, code }) => ({ event, code }),
      },
    ],
  }),
  violation: defineEvent<{ agent: string | null; address: string; detail: string }>({
    level: 'debug',
    message: 'client breaks the protocol',
    metrics: [
      {
        name: 'holdfast_hq_protocol_violations_total',
        kind: 'counter',
        help: 'Messages that break the protocol: unknown events, missing ack callbacks, wrong types.',
      },
    ],
  }),
  cut_off: defineEvent<{ agent: string | null; address: string; reason: string }>({
    level: 'info',
    message: 'connection cut off',
    metrics: [
      {
        name: 'holdfast_hq_cut_off_connections_total',
        kind: 'counter',
        help: 'Connections that HQ ended, by reason.',
        labelNames: ['reason'],
        labels: ({ reason }) => ({ reason }),
      },
    ],
  }),
  handler_failed: defineEvent<{ event: string; agent: string | null; error: string }>({
    level: 'error',
    message: 'handling a message failed',
    metrics: [
      {
        name: 'holdfast_hq_handler_failures_total',
        kind: 'counter',
        help: 'Messages whose handling failed inside HQ.',
        labelNames: ['event'],
        labels: ({ event }) => ({ event }),
      },
    ],
  }),
};
export type IngestEmit = Emit<typeof ingestEvents>;
