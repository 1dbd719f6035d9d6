/** Defaults for kinds of networks; they lie above the general defaults and below file, environment and flags. */
import type { AgentConfig, PresetName } from './config.ts';

/** A part of the settings, in the same shape. */
export type PartialAgentConfig = {
  readonly [Section in 'journal' | 'uplink' | 'detect']?: Partial<AgentConfig[Section]>;
};

const GIBIBYTE = 1024 ** 3;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

export const PRESETS: Readonly<Record<PresetName, PartialAgentConfig>> = {
  lan: {},
  /** Round trips of 50–300 ms, cells that change, volume that costs. */
  lte: {
    uplink: { ackTimeoutMs: 20 * SECOND, connectTimeoutMs: 20 * SECOND, liveLingerMs: 250 },
  },
  /** Round trips of 500–800 ms, minutes of rain fade. */
  satellite: {
    journal: { maxBytes: 2 * GIBIBYTE },
    uplink: {
      ackTimeoutMs: 300 * SECOND,
      connectTimeoutMs: 60 * SECOND,
      backoffInitialMs: 5 * SECOND,
      backoffMaxMs: 15 * MINUTE,
      breakerFailures: 3,
      breakerOpenMs: 30 * MINUTE,
      liveLingerMs: SECOND,
      heartbeatMs: 30 * SECOND,
    },
  },
  /** Dark for hours at a time. */
  'at-sea': {
    journal: { maxBytes: 5 * GIBIBYTE },
    uplink: {
      ackTimeoutMs: 60 * SECOND,
      connectTimeoutMs: 60 * SECOND,
      backoffInitialMs: 10 * SECOND,
      backoffMaxMs: 10 * MINUTE,
      breakerOpenMs: HOUR,
      liveLingerMs: SECOND,
      heartbeatMs: 30 * SECOND,
    },
  },
  /** Small disks at the end of poor lines. */
  'remote-edge': {
    journal: { maxBytes: GIBIBYTE / 2 },
    uplink: {
      ackTimeoutMs: 30 * SECOND,
      connectTimeoutMs: 20 * SECOND,
      backoffInitialMs: 2 * SECOND,
      backoffMaxMs: MINUTE,
      breakerFailures: 5,
      breakerOpenMs: 2 * MINUTE,
    },
  },
  /** Fast lines with proxies and failovers in between. */
  'multi-cloud': {
    uplink: {
      connectTimeoutMs: 60 * SECOND,
      // 60 s is asked for, but an ack timeout must end before the breaker's 60 s do.
      ackTimeoutMs: 55 * SECOND,
      breakerFailures: 3,
      breakerOpenMs: MINUTE,
    },
  },
};
