/** Somebody who looks at HQ's dashboard over a line that may take its messages slowly, or none for a while. */
import type { Fleet } from '../../src/hq/aggregate/fleet.ts';
import type { DashboardFeed, DashboardPeer } from '../../src/hq/gateway/dashboard-feed.ts';
import type { AgentSummary } from '../../src/protocol/api.ts';
import { differences, type Shown } from '../check/shown.ts';
import type { Chance } from '../kernel/chance.ts';
import type { Timeline } from '../kernel/timeline.ts';

export type Viewer = {
  /** HQ serves dashboards from now on. */
  readonly connect: (feed: DashboardFeed, fleet: Fleet) => void;
  /** HQ is gone. */
  readonly drop: () => void;
  /** What it shows; null while it has no connection. */
  readonly shown: () => Shown | null;
};

export type ViewerOptions = {
  readonly timeline: Timeline;
  readonly chance: Chance;
  /** By then it reads promptly, ms of virtual time. */
  readonly healAt: number;
  /** It was sent more than it could take, or something else than what HQ knew then. */
  readonly onWrong: (what: string) => void;
  /** It was cut off: it took nothing for too long. */
  readonly onCut: () => void;
};

/** What a browser waits after it was cut off, ms. */
const RECONNECT_MS = 1_500;

export function createViewer({ timeline, chance, healAt, onWrong, onCut }: ViewerOptions): Viewer {
  const readMs = chance.pick([0, 400, 3_000]);
  const frozenFrom = chance.next() * healAt;
  const frozenTo = Math.min(healAt, frozenFrom + chance.pick([0, 5_000, 60_000]));
  let feed: DashboardFeed | null = null;
  let peer: DashboardPeer | null = null;
  const shown = new Map<string, AgentSummary>();
  /** All that HQ has said to anybody. */
  const known = new Map<string, AgentSummary>();
  let busyUntil = 0;

  const isFree = () => {
    const now = timeline.now();
    return now >= busyUntil && !(now >= frozenFrom && now < frozenTo);
  };
  const show = (agents: readonly AgentSummary[]) => {
    for (const agent of agents) shown.set(agent.id, agent);
    busyUntil = timeline.now() + (timeline.now() < healAt ? readMs : 0);
  };
  const join = () => {
    if (feed === null || peer !== null) return;
    shown.clear();
    peer = {
      // It goes out whether anybody reads or not: nothing else is under way then.
      sendSnapshot: ({ agents }) => show(agents),
      sendDelta: ({ agents, removed = [] }) => {
        if (!isFree()) onWrong('was sent more than it could take');
        show(agents);
        for (const id of removed) shown.delete(id);
        for (const what of differences(shown, known)) onWrong(what);
      },
      isFree,
      cut: () => {
        onCut();
        peer = null;
        timeline.after(RECONNECT_MS, join);
      },
    };
    feed.join(peer);
  };
  return {
    connect: (served, fleet) => {
      feed = served;
      known.clear();
      const learn = (agents: readonly AgentSummary[]) => {
        for (const agent of agents) known.set(agent.id, agent);
      };
      fleet.summaries().subscribe((all) => {
        learn(all);
        fleet.delta$.subscribe(({ agents, removed = [] }) => {
          learn(agents);
          for (const id of removed) known.delete(id);
        });
        join();
      });
    },
    drop: () => {
      feed = null;
      peer = null;
    },
    shown: () => (peer === null ? null : shown),
  };
}
