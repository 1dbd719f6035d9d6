/** What is kept of one agent while HQ runs, and the summary made of it. */

import type { AgentAlarm, AgentSummary } from '../../protocol/api.ts';
import type { Heartbeat, LinkReport } from '../../protocol/events.ts';
import type { Labels } from '../../protocol/labels.ts';
import { MAX_TS } from '../../protocol/sample.ts';
import type { LinkEvent } from '../ingest/core/link-event.ts';
import { ADVICE } from '../refusal-advice.ts';
import { isAhead } from '../store/clock-ahead.ts';
import type { AgentRecord, Appended, NumbersOfAgent } from '../store/store.ts';
import { diskAlarmOf } from './disk-alarm.ts';
import {
  GONE,
  type Presence,
  type PresenceEvent,
  restoredSender,
  transition,
  UNKNOWN,
  verdictOf,
} from './presence.ts';
import { createRateWindow, type RateWindow } from './rate-window.ts';
import { NO_RHYTHM } from './rhythm.ts';

export type AgentEntry = {
  readonly id: string;
  /** Null while the agent is known by HTTP only. */
  epoch: string | null;
  presence: Presence;
  /** When HQ last heard from it, wall time, ms; null: not since it started. */
  heardTs: number | null;
  version: string | null;
  heartbeat: Heartbeat | null;
  /** What it last said of its link: not every heartbeat does. */
  link: LinkReport | null;
  clockOffsetMs: number | null;
  lastSampleTs: number | null;
  lastArrivalTs: number | null;
  lagMs: number | null;
  /** How the agent's disk is, as it last said. */
  diskAlarm: AgentAlarm | null;
  /** Its samples are dated ahead of HQ's clock. */
  clockAlarm: AgentAlarm | null;
  /** What has happened to it. `until`: monotonic, ms; it ends then unless it recurs. */
  alarm: (AgentAlarm & { readonly until: number }) | null;
  readonly rate: RateWindow;
  /** How often something of it has changed. */
  changes: number;
  /** The last one made; null before the first. */
  summary: AgentSummary | null;
  /** How many of the changes it shows. */
  summarised: number;
};

export function createAgentEntry(id: string, epoch: string | null): AgentEntry {
  return {
    id,
    epoch,
    presence: UNKNOWN,
    heardTs: null,
    version: null,
    heartbeat: null,
    link: null,
    clockOffsetMs: null,
    lastSampleTs: null,
    lastArrivalTs: null,
    lagMs: null,
    diskAlarm: null,
    clockAlarm: null,
    alarm: null,
    rate: createRateWindow(),
    changes: 0,
    summary: null,
    summarised: 0,
  };
}

/**
 * What has not recurred for so long is over: a refused agent comes back sooner, after 15 minutes with the most patient
 * preset.
 */
const ALARM_MS = 1_200_000;

/** `mono`: monotonic, ms. */
export function applyLink(entry: AgentEntry, event: LinkEvent, mono: number): void {
  const move = (happened: PresenceEvent) => {
    entry.presence = transition(entry.presence, happened);
    if (happened.kind !== 'disconnected') entry.heardTs = event.ts;
  };
  switch (event.kind) {
    case 'connected':
      move({ kind: 'connected', at: mono, ts: event.ts });
      entry.epoch = event.epoch;
      entry.version = event.version;
      entry.clockOffsetMs = event.clockOffsetMs;
      // What the agent said before it went is not how it is now.
      entry.heartbeat = null;
      entry.link = null;
      return;
    case 'heartbeat':
      move({ kind: 'said', word: event.heartbeat, at: mono, ts: event.ts });
      entry.heartbeat = event.heartbeat;
      entry.link = event.heartbeat.link ?? entry.link;
      entry.diskAlarm = diskAlarmOf(entry.diskAlarm, event.heartbeat, event.ts);
      entry.clockOffsetMs = event.clockOffsetMs;
      return;
    case 'alarm': {
      const since = recentAlarm(entry, mono)?.since ?? event.ts;
      entry.alarm = { kind: event.alarm, since, detail: event.detail, until: mono + ALARM_MS };
      return;
    }
    case 'hello_refused': {
      const { reason, detail, ts } = event;
      move({ kind: 'hello_refused', reason, detail, at: mono, ts });
      return;
    }
    case 'refused':
      move({ kind: 'refused', at: mono });
      return;
    case 'disconnected':
      move({ kind: 'disconnected' });
  }
}

/** What the store says of how it delivers. */
export function restorePresence(
  entry: AgentEntry,
  { owned, rhythm }: Pick<AgentRecord, 'owned' | 'rhythm'>,
  { mono, now }: { readonly mono: number; readonly now: number },
): void {
  const agoMs = rhythm === undefined ? null : now - rhythm.lastTs;
  entry.presence = owned ? restoredSender(rhythm?.pauses ?? NO_RHYTHM, agoMs, mono) : GONE;
}

/** After a restart of HQ the alarm stands for as long as a new one: nobody could see it meanwhile. */
export function restoreAlarm(entry: AgentEntry, { kind, since, detail }: AgentAlarm, mono: number): void {
  entry.alarm = { kind, since, detail, until: mono + ALARM_MS };
}

/** Of something that happened, and may happen again. */
export function recentAlarm({ alarm }: AgentEntry, mono: number): AgentAlarm | null {
  if (alarm === null || alarm.until <= mono) return null;
  const { kind, since, detail } = alarm;
  return { kind, since, detail };
}

/** What happened comes before what goes on: it is told for a while only. */
export function alarmNow(entry: AgentEntry, mono: number): AgentAlarm | null {
  return recentAlarm(entry, mono) ?? entry.diskAlarm ?? entry.clockAlarm;
}

export type AppendedAt = {
  /** HQ's wall time when the frame was durable, ms. */
  readonly now: number;
  /** The same, monotonic. */
  readonly mono: number;
  readonly maxAheadMs: number;
};

export function applyAppended(
  entry: AgentEntry,
  { frame, outcome }: Appended,
  { now, mono, maxAheadMs }: AppendedAt,
): void {
  entry.lastArrivalTs = now;
  entry.heardTs = now;
  entry.presence = transition(entry.presence, { kind: 'arrived', lane: frame.lane, at: mono, ts: now });
  if (outcome.stored + outcome.thinned === 0) return;
  const { tsMax } = frame.header;
  const isOff = isAhead(tsMax, frame.arrivalTs, maxAheadMs);
  // Of a frame with one such sample the index finds the latest of the others.
  if (!isOff) entry.lastSampleTs = Math.max(entry.lastSampleTs ?? tsMax, tsMax);
  if (isOff || frame.lane !== 'backlog') entry.clockAlarm = isOff ? clockAlarm(entry, tsMax, now) : null;
  // A thinned frame stands for thousands that were sampled long ago: neither a rate nor a lag.
  if (outcome.stored === 0) return;
  entry.rate.add(outcome.stored, mono);
  if (frame.lane !== 'live') return;
  entry.lagMs = Math.max(0, now - (tsMax - (entry.clockOffsetMs ?? 0)));
}

/** The index has read more: `latestTs` is the latest that it has found, if it has any. */
export function applyIndexed(entry: AgentEntry, latestTs: number | null): void {
  if (latestTs === null) return;
  entry.lastSampleTs = Math.max(entry.lastSampleTs ?? latestTs, latestTs);
}

/** Stands until a fresh sample is dated right. */
function clockAlarm({ clockAlarm: before }: AgentEntry, tsMax: number, now: number): AgentAlarm {
  const time = Math.abs(tsMax) <= MAX_TS ? new Date(tsMax).toISOString() : String(tsMax);
  const detail = `a sample is dated ${time}: kept and marked, not taken for the latest`;
  return { kind: 'clock_ahead', since: before?.since ?? now, detail };
}

export function summaryOf(
  entry: AgentEntry,
  { counts, anomalies, seriesCount }: NumbersOfAgent,
  { mono, now, labels }: { readonly mono: number; readonly now: number; readonly labels: Labels },
): AgentSummary {
  const { sampled, stored, pending, thinned, dropped } = counts;
  const { heartbeat } = entry;
  const { refusal, ...verdict } = verdictOf(entry.presence, mono, pending);
  const { state } = verdict;
  const isAway = state === 'offline' || state === 'refused';
  return {
    id: entry.id,
    epoch: entry.epoch,
    ...verdict,
    stateSince: stateSinceOf(entry, state, now),
    refusal: refusal === null ? null : { ...refusal, advice: ADVICE[refusal.reason] },
    version: entry.version,
    heardTs: entry.heardTs,
    lastSampleTs: entry.lastSampleTs,
    lastArrivalTs: entry.lastArrivalTs,
    // While nothing comes, the last lag says nothing of now.
    lagMs: isAway ? null : entry.lagMs,
    clockOffsetMs: entry.clockOffsetMs,
    rttMs: isAway ? null : (heartbeat?.rttMs ?? null),
    link: entry.link,
    samplesPerSecond: entry.rate.rate(mono),
    sampled,
    stored,
    pending,
    pendingBytes: pending === 0 ? 0 : (heartbeat?.pendingBytes ?? 0),
    pendingThinned: Math.min(pending, heartbeat?.thinned ?? 0),
    thinned,
    dropped,
    completeness: sampled === 0 ? 1 : (stored + thinned) / sampled,
    openAnomalies: anomalies.open,
    anomaliesTotal: anomalies.total,
    seriesCount,
    labels: { ...labels },
    alarm: alarmNow(entry, mono),
  };
}

/** What HQ has found at its start began nobody knows when. */
function stateSinceOf(
  { summary, heardTs }: AgentEntry,
  state: AgentSummary['state'],
  now: number,
): number | null {
  if (summary === null) return heardTs === null ? null : now;
  return summary.state === state ? summary.stateSince : now;
}
