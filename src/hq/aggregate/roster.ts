/**
 * The agents that HQ knows, with the summary of each and sums over all.
 *
 * Costs: a change O(1); sums O(agents that changed since the last ones); the summaries of all O(agents).
 */
import { concat, defer, ignoreElements, map, type Observable, of, subscribeOn, tap } from 'rxjs';
import type { Clock } from '../../platform/clock.ts';
import type { AgentAlarm, AgentSummary } from '../../protocol/api.ts';
import type { Labels } from '../../protocol/labels.ts';
import type { AgentNumbers, NumbersOfAgent } from '../store/store.ts';
import { type AgentEntry, alarmNow, createAgentEntry, summaryOf } from './agent-entry.ts';

/** Summaries that are made at a stretch: acks have their turn in between. */
const SUMMARIES_AT_ONCE = 128;

/** Sums over all agents that only move by differences. */
export type Sums = { stored: number; pending: number; thinned: number; dropped: number; connected: number };

export type Roster = {
  /** Undefined when HQ has never heard of it. */
  readonly find: (agent: string) => AgentEntry | undefined;
  /** Made when it does not exist yet. */
  readonly entryOf: (agent: string, epoch: string | null) => AgentEntry;
  /** It counts no more, and is gone for who looks. */
  readonly remove: (agent: string) => void;
  /** The summary is made when somebody asks; until then the last one stays for the sums. */
  readonly touch: (entry: AgentEntry) => void;
  /** Makes the summaries that are out of date, of these or of all; emits once that is done. Errors: as of the store. */
  readonly freshen: (entries?: Iterable<AgentEntry>) => Observable<void>;
  /** Those made so far, ordered by id. */
  readonly summaries: () => readonly AgentSummary[];
  readonly hasChanges: () => boolean;
  /**
   * Summaries of those that changed since they were last taken, `max` at most; the others stay for the next time, and
   * after an error all do.
   */
  readonly takeChanges: (max: number) => Observable<readonly AgentSummary[]>;
  /** What has changed so far is nothing to report. */
  readonly dropChanges: () => void;
  /** As of the summaries made so far. */
  readonly sums: () => Sums & { readonly agents: number };
  /** How many agents have an alarm of a kind now. */
  readonly alarms: () => ReadonlyMap<AgentAlarm['kind'], number>;
};

export function createRoster(
  store: AgentNumbers,
  clock: Pick<Clock, 'now' | 'precise' | 'scheduler'>,
  labelsOf: (agent: string) => Labels,
  onSummary: (before: AgentSummary | null, now: AgentSummary) => void = () => {},
): Roster {
  const entries = new Map<string, AgentEntry>();
  /** Changed since they were last taken. */
  const changed = new Set<AgentEntry>();
  /** Changed since their summary was made. */
  const stale = new Set<AgentEntry>();
  const sums: ExactSums = { stored: 0n, pending: 0n, thinned: 0n, dropped: 0n, connected: 0n };

  const touch = (entry: AgentEntry) => {
    entry.changes += 1;
    changed.add(entry);
    stale.add(entry);
  };
  /** `changes`: those that the numbers show. More may have come since they were asked for. */
  const summarise = (entry: AgentEntry, numbers: NumbersOfAgent, changes: number) => {
    // A later question was answered sooner.
    if (entry.summarised > changes || entries.get(entry.id) !== entry) return;
    const summary = summaryOf(entry, numbers, {
      mono: clock.precise(),
      now: clock.now(),
      labels: labelsOf(entry.id),
    });
    moveSums(sums, entry.summary, summary);
    onSummary(entry.summary, summary);
    entry.summary = summary;
    entry.summarised = changes;
    if (entry.changes === changes) stale.delete(entry);
  };
  const summariseAll = (due: readonly AgentEntry[]): Observable<void> =>
    defer(() => {
      const changes = due.map((entry) => entry.changes);
      return store.numbers(due.map(({ id }) => id)).pipe(
        map((numbers) => {
          due.forEach((entry, index) => {
            const ofAgent = numbers[index];
            if (ofAgent !== undefined) summarise(entry, ofAgent, changes[index] ?? 0);
          });
        }),
      );
    });
  const freshen = (entries: Iterable<AgentEntry> = stale): Observable<void> =>
    defer(() => {
      const due = [...entries].filter((entry) => stale.has(entry));
      const parts: Observable<void>[] = [];
      for (let at = 0; at < due.length; at += SUMMARIES_AT_ONCE) {
        const part = summariseAll(due.slice(at, at + SUMMARIES_AT_ONCE));
        parts.push(at === 0 ? part : part.pipe(subscribeOn(clock.scheduler)));
      }
      return concat(concat(...parts).pipe(ignoreElements()), of(undefined));
    });

  return {
    find: (agent) => entries.get(agent),
    entryOf: (agent, epoch) => {
      const entry = entries.get(agent) ?? createAgentEntry(agent, epoch);
      entries.set(agent, entry);
      return entry;
    },
    remove: (agent) => {
      const entry = entries.get(agent);
      if (entry === undefined) return;
      entries.delete(agent);
      changed.delete(entry);
      stale.delete(entry);
      moveSums(sums, entry.summary, null);
    },
    touch,
    freshen,
    summaries: () => made(entries.values()).sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)),
    hasChanges: () => changed.size > 0,
    takeChanges: (max) =>
      defer(() => {
        const taken: AgentEntry[] = [];
        for (const entry of changed) {
          if (taken.length === max) break;
          changed.delete(entry);
          taken.push(entry);
        }
        const giveBack = () => {
          for (const entry of taken) changed.add(entry);
        };
        return freshen(taken).pipe(
          map(() => made(taken)),
          tap({ error: giveBack }),
        );
      }),
    dropChanges: () => changed.clear(),
    sums: () => ({ agents: entries.size, ...inNumbers(sums) }),
    alarms: () => countAlarms(entries.values(), clock.precise()),
  };
}

/** An agent that nobody has asked for yet has no summary. */
function made(entries: Iterable<AgentEntry>): AgentSummary[] {
  return [...entries].flatMap(({ summary }) => summary ?? []);
}

/** Exact beyond 2^53, too: an agent that claims so much, and is retired, would leave an error behind. */
type ExactSums = { [Name in keyof Sums]: bigint };

const COUNTED = ['stored', 'pending', 'thinned', 'dropped'] as const;

function moveSums(sums: ExactSums, before: AgentSummary | null, now: AgentSummary | null): void {
  for (const name of COUNTED) sums[name] += BigInt((now?.[name] ?? 0) - (before?.[name] ?? 0));
  sums.connected += BigInt(Number(now?.connected ?? false) - Number(before?.connected ?? false));
}

/** At most 2^53 − 1 each. */
function inNumbers({ stored, pending, thinned, dropped, connected }: ExactSums): Sums {
  const most = (sum: bigint) => Math.min(Number.MAX_SAFE_INTEGER, Number(sum));
  return {
    ...{ stored: most(stored), pending: most(pending), thinned: most(thinned), dropped: most(dropped) },
    connected: most(connected),
  };
}

function countAlarms(entries: Iterable<AgentEntry>, mono: number): Map<AgentAlarm['kind'], number> {
  const counts = new Map<AgentAlarm['kind'], number>();
  for (const entry of entries) {
    const alarm = alarmNow(entry, mono);
    if (alarm !== null) counts.set(alarm.kind, (counts.get(alarm.kind) ?? 0) + 1);
  }
  return counts;
}
