/** How long a world may take, once all faults have ended, until everything is at HQ. Computed from settings and backlog, not guessed. */
import type { SimAgent } from './sim-agent.ts';
import type { SimHq } from './sim-hq.ts';

export type DrainBoundOptions = {
  readonly agents: readonly SimAgent[];
  readonly hq: SimHq;
  readonly usualDelayMs: readonly [number, number];
};

/** Commits, pauses and turns of the actors on both sides, ms a message. */
const MESSAGE_MS = 60;
/** HQ's pauses, sweeps and leases; the agent's restart; its look at what lies about. */
const SETTLE_MS = 120_000;

export function drainBoundMs({ agents, hq, usualDelayMs }: DrainBoundOptions): number {
  const roundTripMs = 2 * usualDelayMs[1];
  const { limits } = hq.config;
  const bounds = agents.map(({ settings, disk, running }) => {
    const { uplink } = settings.config;
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
    return reconnectMs + breakerMs + messages * (roundTripMs + MESSAGE_MS) + 2 * paceMs + heartbeatMs;
  });
  return Math.max(...bounds) + SETTLE_MS;
}
