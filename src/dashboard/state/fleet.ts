/** The fleet as `state()`s: one for the whole, one an agent, so that a delta wakes only the rows that it changed. */
import { bind, state } from '@react-rxjs/core';
import { combineLatest, distinctUntilChanged, map, merge, scan, startWith } from 'rxjs';
import type { AgentSummary } from '../../protocol/api.ts';
import { monoNow, second$, wallNow } from '../clock.ts';
import { connection$ } from './connection.ts';
import { healthOf } from './fleet-health.ts';
import { type AgentEntry, type Freshness, freshnessOf, NO_FLEET, reduceFleet } from './fleet-state.ts';

export const fleet$ = state(connection$.pipe(scan(reduceFleet, NO_FLEET)), NO_FLEET);

/** One agent as it is now; null when HQ does not know it. */
export const agentNow = (id: string): AgentEntry | null => fleet$.getValue().agents.get(id) ?? null;

/** The same, followed. */
export const [useAgent] = bind(
  (id: string) =>
    fleet$.pipe(
      map((fleet): AgentEntry | null => fleet.agents.get(id) ?? null),
      distinctUntilChanged(),
    ),
  agentNow,
);

export type FleetFilter = { readonly text: string; readonly state: AgentSummary['state'] | 'all' };

const sameList = (a: readonly string[], b: readonly string[]): boolean =>
  a === b || (a.length === b.length && a.every((item, index) => item === b[index]));

function idsWithin(text: string, wanted: FleetFilter['state']): readonly string[] {
  const { ids, agents } = fleet$.getValue();
  if (text === '' && wanted === 'all') return ids;
  const needle = text.toLowerCase();
  return ids.filter(
    (id) =>
      id.toLowerCase().includes(needle) && (wanted === 'all' || agents.get(id)?.summary.state === wanted),
  );
}

/** Ids of the agents that pass a filter, in natural order. */
export const [useAgentIds] = bind(
  (text: string, wanted: FleetFilter['state']) =>
    fleet$.pipe(
      map(() => idsWithin(text, wanted)),
      distinctUntilChanged(sameList),
    ),
  idsWithin,
);

export const [useTotals, totals$] = bind(
  fleet$.pipe(
    map((fleet) => fleet.totals),
    distinctUntilChanged(),
  ),
  null,
);

/** Sums over all agents that HQ's totals do not hold. */
export const [useFleetHealth, health$] = bind(
  fleet$.pipe(
    map((fleet) => fleet.agents),
    distinctUntilChanged(),
    map((agents) => healthOf(agents.values())),
  ),
  healthOf([]),
);

/** Agents that an operator should see to. */
export const [useAlarms, alarms$] = bind(
  fleet$.pipe(
    map((fleet) => fleet.agents),
    distinctUntilChanged(),
    map((agents) => [...agents.values()].flatMap(({ summary }) => (summary.alarm === null ? [] : [summary]))),
    distinctUntilChanged((a, b) => JSON.stringify(a.map(alarmOf)) === JSON.stringify(b.map(alarmOf))),
  ),
  [],
);

function alarmOf({ id, alarm }: AgentSummary) {
  return [id, alarm];
}

export const [useChaos, chaos$] = bind(
  fleet$.pipe(
    map((fleet) => fleet.chaos),
    distinctUntilChanged((a, b) => JSON.stringify(a) === JSON.stringify(b)),
  ),
  null,
);

/** What the ingest graph draws. */
export const [useIngest, ingest$] = bind(
  fleet$.pipe(
    map(({ ingest, chaosSpans, hqTs }) => ({ ingest, chaosSpans, hqTs })),
    distinctUntilChanged((a, b) => a.ingest === b.ingest && a.chaosSpans === b.chaosSpans),
  ),
  { ingest: NO_FLEET.ingest, chaosSpans: NO_FLEET.chaosSpans, hqTs: NO_FLEET.hqTs },
);

const freshness$ = combineLatest([fleet$, second$.pipe(startWith(0))]).pipe(
  map(([fleet]) => freshnessOf(fleet, monoNow())),
);

/** Ticks each second while stale; else changes only with its kind. */
export const [useFreshness] = bind(
  freshness$.pipe(
    distinctUntilChanged((a: Freshness, b: Freshness) => a.kind === b.kind && a.kind !== 'stale'),
  ),
  { kind: 'connecting' },
);

/** Whether what is shown is current, for parts that only turn grey. */
export const [useIsLive] = bind(
  freshness$.pipe(
    map((freshness) => freshness.kind === 'live'),
    distinctUntilChanged(),
  ),
  false,
);

export const [useHqVersion, hqVersion$] = bind(
  fleet$.pipe(
    map((fleet) => fleet.hqVersion),
    distinctUntilChanged(),
  ),
  null,
);

export const [useDamage] = bind(
  fleet$.pipe(
    map((fleet) => fleet.damaged),
    distinctUntilChanged(),
  ),
  null,
);

/** How many agents are left out, as this page does not understand what HQ says of them. */
export const [useUnreadable] = bind(
  fleet$.pipe(
    map((fleet) => fleet.unreadable),
    distinctUntilChanged(),
  ),
  0,
);

/** Now on HQ's clock, epoch ms; our own wall clock before HQ has spoken. */
export function hqNow(): number {
  const { hqOffset } = fleet$.getValue();
  return hqOffset === null ? wallNow() : hqOffset + monoNow();
}

/** `hqNow`, each second. */
export const [useHqNow] = bind(() => second$.pipe(startWith(0), map(hqNow)), hqNow);

/**
 * Subscribed as long as the page lives, so that a view that comes back finds what it showed before instead of nothing.
 */
export const kept$ = merge(totals$, health$, alarms$, chaos$, ingest$, hqVersion$);
