/**
 * What the dashboard knows of the fleet, as a pure reduction of the connection's events.
 *
 * Bounds: `MAX_INGEST` ingest points, `MAX_TRAIL` pending points an agent, `MAX_SPANS` chaos spans.
 */
import type {
  AgentSummary,
  Chaos,
  ChaosSpan,
  FleetDelta,
  FleetTotals,
  IngestPoint,
} from '../../protocol/api.ts';
import { extendSpans } from '../../protocol/chaos-spans.ts';
import type { ConnectionEvent } from './read-news.ts';

/** One agent with a short memory of its pending samples, one point a second at most. */
export type AgentEntry = {
  readonly summary: AgentSummary;
  readonly trail: readonly { readonly t: number; readonly pending: number }[];
};

export type FleetState = {
  readonly link: 'connecting' | 'up' | 'down' | 'unauthorized';
  /** Monotonic ms of the latest message of HQ; null before the first. */
  readonly receivedAt: number | null;
  /** HQ's wall time minus our monotonic time, ms; null before the first message. */
  readonly hqOffset: number | null;
  readonly hqVersion: string | null;
  /** HQ's time of the latest message. */
  readonly hqTs: number | null;
  readonly agents: ReadonlyMap<string, AgentEntry>;
  /** In natural order; the same array until an agent comes or goes. */
  readonly ids: readonly string[];
  readonly totals: FleetTotals | null;
  readonly chaos: Chaos | null;
  readonly chaosSpans: readonly ChaosSpan[];
  readonly ingest: readonly IngestPoint[];
  /** How many agents HQ has said something of that this page does not understand. */
  readonly unreadable: number;
  /** What could not be understood of HQ's latest message; null when all was. */
  readonly damaged: string | null;
};

export const MAX_INGEST = 600;
export const MAX_TRAIL = 90;
/** A jump of HQ's clock beyond this is taken over at once instead of being held for a slow message. */
const CLOCK_STEP_MS = 1000;

export const NO_FLEET: FleetState = {
  link: 'connecting',
  receivedAt: null,
  hqOffset: null,
  hqVersion: null,
  hqTs: null,
  agents: new Map(),
  ids: [],
  totals: null,
  chaos: null,
  chaosSpans: [],
  ingest: [],
  unreadable: 0,
  damaged: null,
};

const collator = new Intl.Collator('en', { numeric: true });

export function reduceFleet(state: FleetState, event: ConnectionEvent): FleetState {
  switch (event.kind) {
    case 'link':
      return { ...state, link: event.link };
    case 'unauthorized':
      return { ...state, link: 'unauthorized' };
    case 'damaged':
      return { ...state, damaged: event.detail };
    case 'snapshot': {
      const { snapshot } = event;
      // The snapshot is the whole truth: agents that it does not name are gone.
      const known = new Map<string, AgentEntry>();
      for (const { id } of snapshot.agents) {
        const entry = state.agents.get(id);
        if (entry !== undefined) known.set(id, entry);
      }
      const { chaos, chaosSpans } = snapshot;
      const base: FleetState = { ...state, agents: known, hqOffset: null, ingest: [], chaos, chaosSpans };
      const next = apply(base, snapshot, event.at);
      const sameIds =
        next.ids.length === snapshot.agents.length && snapshot.agents.every(({ id }) => state.agents.has(id));
      return {
        ...next,
        unreadable: event.unreadable ?? 0,
        ids: sameIds && state.ids.length === next.agents.size ? state.ids : sortedIds(next.agents),
        hqVersion: snapshot.hqVersion,
      };
    }
    case 'delta':
      if (state.hqOffset === null) return state;
      return {
        ...apply(state, event.delta, event.at),
        unreadable: Math.max(state.unreadable, event.unreadable ?? 0),
      };
  }
}

function apply(state: FleetState, message: FleetDelta, at: number): FleetState {
  const agents = new Map(state.agents);
  for (const summary of message.agents) {
    const trail = extendTrail(agents.get(summary.id)?.trail ?? [], message.ts, summary.pending);
    agents.set(summary.id, { summary, trail });
  }
  for (const id of message.removed ?? []) agents.delete(id);
  const offset = message.ts - at;
  const held = state.hqOffset;
  return {
    ...state,
    receivedAt: at,
    hqTs: message.ts,
    // The least delayed message tells HQ's time best.
    hqOffset: held === null || Math.abs(offset - held) > CLOCK_STEP_MS ? offset : Math.max(held, offset),
    agents,
    ids: agents.size === state.ids.length ? state.ids : sortedIds(agents),
    totals: message.totals,
    chaos: message.chaos,
    chaosSpans: extendSpans(state.chaosSpans, state.chaos, message.chaos),
    ingest: extendIngest(state.ingest, message.ingest),
    damaged: null,
  };
}

const sortedIds = (agents: ReadonlyMap<string, AgentEntry>): readonly string[] =>
  [...agents.keys()].sort((a, b) => collator.compare(a, b));

function extendTrail(trail: AgentEntry['trail'], t: number, pending: number): AgentEntry['trail'] {
  const last = trail.at(-1);
  if (last !== undefined && t - last.t < 1000) return trail;
  return [...trail.slice(-(MAX_TRAIL - 1)), { t, pending }];
}

function extendIngest(points: readonly IngestPoint[], news: readonly IngestPoint[]): readonly IngestPoint[] {
  const lastT = points.at(-1)?.t ?? Number.NEGATIVE_INFINITY;
  const fresh = news.filter((point) => point.t > lastT);
  return fresh.length === 0 ? points : [...points, ...fresh].slice(-MAX_INGEST);
}

/** How far what is shown can be trusted. */
export type Freshness =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  | { readonly kind: 'unauthorized' }
  /** `ageMs`: since HQ's latest message; null when there was none. */
  | { readonly kind: 'stale'; readonly ageMs: number | null; readonly because: 'disconnected' | 'silent' };

/** HQ speaks at least once a second; longer silence on an open connection means that something is stuck. */
export const SILENT_MS = 5000;

export function freshnessOf(state: FleetState, monoNow: number): Freshness {
  const ageMs = state.receivedAt === null ? null : Math.max(0, monoNow - state.receivedAt);
  if (state.link === 'unauthorized') return { kind: 'unauthorized' };
  if (state.link === 'down') return { kind: 'stale', ageMs, because: 'disconnected' };
  if (state.link === 'connecting')
    return ageMs === null ? { kind: 'connecting' } : { kind: 'stale', ageMs, because: 'disconnected' };
  if (ageMs === null) return { kind: 'connecting' };
  return ageMs > SILENT_MS ? { kind: 'stale', ageMs, because: 'silent' } : { kind: 'live' };
}
