/** What all connections of `/agents` share. */
import { type MonoTypeOperatorFunction, type Observable, ReplaySubject, share } from 'rxjs';
import type { Clock } from '../../../platform/clock.ts';
import type { Lane } from '../../../protocol/events.ts';
import type { Epoch } from '../../../protocol/sample.ts';
import { createTokenLevel, type TokenLevel } from '../../../streams/token-level.ts';
import type { ChaosControl } from '../../chaos.ts';
import type { AgentFrame, AgentRegistry, CoverageStore, IngestOutcome } from '../../store/store.ts';
import type { BacklogScheduler } from './backlog-scheduler.ts';
import { type ClockOffset, createClockOffset } from './clock-offset.ts';
import type { IngestCore } from './ingest-core.ts';
import type { IngestEmit } from './ingest-events.ts';
import type { KnownAgents } from './known-agents.ts';
import type { KnownSeries } from './known-series.ts';
import type { Holder, Leases } from './leases.ts';
import type { LinkEvent } from './link-event.ts';
import { createTalkLevel } from './talk-level.ts';

export type IngestLimits = {
  /** Largest frame, bytes. */
  readonly maxFrameBytes: number;
  readonly maxFrameSamples: number;
  /** Distinct series of one agent. */
  readonly maxSeries: number;
  /** Schemas of one agent. */
  readonly maxSchemas: number;
  /** Agents that HQ gets to know. */
  readonly maxAgents: number;
  /** Backlog frames that one agent may have in flight when there is room for all. */
  readonly creditFrames: number;
  /** Agents that may drain a backlog at once. */
  readonly drainSlots: number;
  /** Frames that one agent may send a second, averaged over 10 s. */
  readonly framesPerSecond: number;
  /** Live frames that one agent may send a second, averaged over 2 s. */
  readonly liveFramesPerSecond: number;
  /** Bytes that one agent may send a second, averaged over 4 s. */
  readonly bytesPerSecond: number;
  /** Connections at once that have not said hello. */
  readonly maxPendingHellos: number;
  /** Below this average a hello that has not arrived whole is not waited for. */
  readonly leastBytesPerSecond: number;
  /** Reconnects of all agents together that HQ asks for at most. */
  readonly reconnectsPerSecond: number;
};

export type IngestShared = {
  readonly store: IngestStore;
  readonly clock: Clock;
  readonly chaos: Pick<ChaosControl, 'admit'>;
  /** Whether the storage takes commits. */
  readonly isStoring: () => boolean;
  readonly emit: IngestEmit;
  readonly limits: IngestLimits;
  /** Which HQ this is; null when it could not be noted. */
  readonly identity: string | null;
  readonly leases: Leases<Holder>;
  readonly link: (event: LinkEvent) => void;
  readonly submit: (frame: AgentFrame) => Observable<IngestOutcome>;
  readonly settled: (agent: string) => Observable<void>;
  /** Whose turn it is to drain, and the credit that comes with it. */
  readonly drains: Omit<BacklogScheduler, 'tick'>;
  /** Takes a frame off the agent's budget; ms to wait when it is used up. */
  readonly spend: (agent: string, bytes: number, lane: Lane) => number;
  /** Takes what a frame costs besides off the agent's budget, in frames; what follows waits until it is paid for. */
  readonly charge: (agent: string, frames: number, lane: Lane) => void;
  /** Processor time for messages other than frames, ms: an agent has the same on each of its connections. */
  readonly talkOf: (agent: string) => TokenLevel;
  readonly offsetOf: (agent: string) => ClockOffset;
  /** Takes an epoch that HQ does not know yet off the agent's budget; ms to wait when that is used up. */
  readonly admitEpoch: (agent: string, epoch: Epoch) => number;
  readonly agents: KnownAgents;
  readonly series: KnownSeries;
  /** Shares one subscription and its last value among those who come while it runs. */
  readonly once: <T>() => MonoTypeOperatorFunction<T>;
};

export type IngestStore = CoverageStore & AgentRegistry;

export type IngestSharedOptions = Pick<
  IngestShared,
  'store' | 'clock' | 'chaos' | 'isStoring' | 'emit' | 'limits' | 'identity' | 'leases' | 'link' | 'drains'
> & {
  readonly ingest: IngestCore;
};

/** Epochs that an agent may begin at once, and then in an hour: each is kept for good. */
const NEW_EPOCHS = 100;
const HOUR_S = 3_600;
const FRAME_BURST_SECONDS = 10;
const LIVE_BURST_SECONDS = 2;
const BYTE_BURST_SECONDS = 4;

export function createIngestShared(options: IngestSharedOptions): IngestShared {
  const { ingest, ...rest } = options;
  const { commits, agents, series } = ingest;
  const { clock, limits } = rest;
  const offsets = new Map<string, ClockOffset>();
  const epochs = new Map<string, { readonly level: TokenLevel; last: Epoch | null }>();
  const talks = new Map<string, TokenLevel>();
  const budgets = new Map<string, { frames: TokenLevel; live: TokenLevel; bytes: TokenLevel }>();

  const budgetOf = (agent: string) => {
    let budget = budgets.get(agent);
    if (budget === undefined) {
      const { framesPerSecond, liveFramesPerSecond, bytesPerSecond } = limits;
      budget = {
        frames: createTokenLevel({
          refillPerSecond: framesPerSecond,
          capacity: framesPerSecond * FRAME_BURST_SECONDS,
        }),
        live: createTokenLevel({
          refillPerSecond: liveFramesPerSecond,
          capacity: liveFramesPerSecond * LIVE_BURST_SECONDS,
        }),
        bytes: createTokenLevel({
          refillPerSecond: bytesPerSecond,
          capacity: bytesPerSecond * BYTE_BURST_SECONDS,
        }),
      };
      budgets.set(agent, budget);
    }
    return budget;
  };

  // It ends with the store.
  rest.store.purged$.subscribe((agent) => {
    for (const kept of [offsets, epochs, talks, budgets]) kept.delete(agent);
  });
  return {
    ...rest,
    agents,
    series,
    submit: commits.submit,
    settled: commits.settled,
    spend: (agent, bytes, lane) => {
      const now = clock.precise();
      const budget = budgetOf(agent);
      const liveMs = lane === 'live' ? budget.live.tryTake(1, now) : 0;
      return liveMs > 0 ? liveMs : Math.max(budget.frames.tryTake(1, now), budget.bytes.tryTake(bytes, now));
    },
    charge: (agent, frames, lane) => {
      if (frames === 0) return;
      const now = clock.precise();
      const budget = budgetOf(agent);
      budget.frames.take(frames, now);
      if (lane === 'live') budget.live.take(frames, now);
    },
    talkOf: (agent) => {
      const talk = talks.get(agent) ?? createTalkLevel();
      talks.set(agent, talk);
      return talk;
    },
    admitEpoch: (agent, epoch) => {
      const level = createTokenLevel({ refillPerSecond: NEW_EPOCHS / HOUR_S, capacity: NEW_EPOCHS });
      const begun = epochs.get(agent) ?? { level, last: null };
      epochs.set(agent, begun);
      // Said again because HQ could not note it: it has been taken off already.
      if (begun.last === epoch) return 0;
      const waitMs = begun.level.tryTake(1, clock.precise());
      if (waitMs === 0) begun.last = epoch;
      return waitMs;
    },
    offsetOf: (agent) => {
      const offset = offsets.get(agent) ?? createClockOffset();
      offsets.set(agent, offset);
      return offset;
    },
    once: () => share({ connector: () => new ReplaySubject(1), resetOnRefCountZero: true }),
  };
}
