/**
 * How long a world may take, once all faults have ended, until everything is at HQ. Computed from settings and backlog,
 * not guessed.
 */
import { sampledRate } from './settings.ts';
import type { SimAgent } from './sim-agent.ts';
import type { SimHq } from './sim-hq.ts';

export type DrainBoundOptions = {
  readonly agents: readonly SimAgent[];
  readonly hq: SimHq;
};

/** Commits, pauses and turns of the actors on both sides, ms a message. */
const MESSAGE_MS = 60;
/** HQ's pauses, sweeps and leases; the agent's restart; its look at what lies about. */
const SETTLE_MS = 120_000;
/** Of a link of which little is known, for a message, ms. */
const ALLOWANCE_MS = 60_000;
/** Headers make bytes more by this factor, and each message by so many bytes. */
const HEADERS = 1.1;
const MESSAGE_BYTES = 120;

export function drainBoundMs({ agents, hq }: DrainBoundOptions): number {
  const { limits } = hq.config;
  const bounds = agents.map(({ settings, disk, running }) => {
    const { uplink } = settings.config;
    const { line } = settings;
    const roundTripMs = 2 * line.delayMs[1];
    // A reconnection that has just begun, one that fails once more, and an open breaker that fails its first probe.
    const reconnectMs = 2 * (uplink.backoffMaxMs + 2 * uplink.connectTimeoutMs + uplink.ackTimeoutMs);
    const breakerMs = 2 * uplink.breakerOpenMs;
    const stats = running()?.journal.stats();
    const bytes = stats?.pendingBytes ?? disk.usedBytes();
    // Frames travel in pieces that HQ takes.
    const messages =
      (stats?.pendingFrames ?? disk.records().size) +
      bytes / limits.maxFrameBytes +
      (stats?.pending ?? 0) / limits.maxFrameSamples;
    const paceMs = uplink.maxBytesPerSecond === 0 ? 0 : (bytes / uplink.maxBytesPerSecond) * 1000;
    const heartbeatMs = 2 * uplink.heartbeatMs;
    // What is measured meanwhile goes first. Of slow lines, a reconnection and an overdue answer may wait for longer.
    const spare = line.upRate - sampledRate(settings);
    const isSlow = Number.isFinite(line.upRate);
    const lineMs = isSlow ? (HEADERS * bytes + MESSAGE_BYTES * messages) / spare + 4 * ALLOWANCE_MS : 0;
    return (
      reconnectMs + breakerMs + messages * (roundTripMs + MESSAGE_MS) + 2 * paceMs + heartbeatMs + lineMs
    );
  });
  return Math.max(...bounds) + SETTLE_MS;
}
