/**
 * Reads at open what the store keeps in memory: agents and epoch states, mended where a state is missing, and what the
 * log holds beyond them.
 */

import type { Epoch } from '../../protocol/sample.ts';
import { entriesOf } from '../../storage/read-page.ts';
import type { Reader } from '../../storage/storage.ts';
import { accountSegments } from './account-segments.ts';
import { decodeAgent, decodeEpochState, EMPTY_EPOCH, markDelivered } from './epoch-state.ts';
import { decodeMark } from './filed-mark.ts';
import { agentOfFiled, entryRange, kindRange, parseEpochKey, parsePurgeKey } from './keys.ts';
import { decodeLogEntry, type LogEntry, readLogEntry, type TailEntry, tailEntryOf } from './log-entry.ts';
import { decodePurge, isRunning } from './purge-record.ts';
import { epochsWithFrames, rebuildEpoch } from './rebuild.ts';
import { rollupStateKey } from './rollup-keys.ts';
import { decodeRollupState } from './rollup-state.ts';
import {
  addEntry,
  emptyView,
  heldOf,
  type LoadedView,
  putEpoch,
  putPurged,
  type UnsavedEpoch,
  type View,
} from './view.ts';

export function loadView(reader: Reader): LoadedView {
  const view = emptyView();
  readPurges(reader, view);
  for (const { key, value } of entriesOf(reader, kindRange('E'))) {
    const { agent, epoch } = parseEpochKey(key);
    const state = decodeEpochState(value) ?? rebuildEpoch(reader, agent, epoch);
    if (state !== undefined) putEpoch(view, agent, epoch, state);
  }
  for (const { agent, epoch } of epochsWithFrames(reader)) {
    view.sizes.set(agent, null);
    if (view.epochs.get(agent)?.has(epoch) || isClosed(view, agent, epoch)) continue;
    const state = rebuildEpoch(reader, agent, epoch);
    if (state !== undefined) putEpoch(view, agent, epoch, state);
  }
  const unsaved = readLog(reader, view);
  for (const { value } of entriesOf(reader, kindRange('A'))) {
    const record = decodeAgent(value);
    if (record !== undefined) view.agents.set(record.agent, record);
  }
  for (const [agent, epochs] of view.epochs) {
    if (view.agents.has(agent)) continue;
    const [epoch] = [...epochs.keys()].slice(-1);
    const owned = [...epochs].find(([, state]) => state.owned)?.[0] ?? null;
    if (epoch !== undefined) view.agents.set(agent, { agent, epoch, firstSeenTs: 0, ownEpoch: owned });
  }
  return { view, unsaved };
}

/** Agents that are removed for good, and what is kept of their epochs. */
function readPurges(reader: Reader, view: View): void {
  for (const { key, value } of entriesOf(reader, kindRange('Z'))) {
    const { agent, epoch } = parsePurgeKey(key);
    const record = epoch === null ? decodePurge(value) : undefined;
    const left = epoch === null ? undefined : decodeEpochState(value);
    if (record !== undefined) view.purges.set(agent, record);
    if (epoch !== null && left !== undefined) putPurged(view, agent, epoch, left);
  }
}

/** It has been closed, as its agent is being removed for good. */
const isClosed = (view: View, agent: string, epoch: Epoch): boolean =>
  isEmptied(view, agent) ||
  (isRunning(view.purges.get(agent)) && view.purged.get(agent)?.has(epoch) === true);

/** What is left of it in log and index is on its way out, and is accounted for nowhere. */
const isEmptied = ({ purges }: View, agent: string): boolean => purges.get(agent)?.phase === 'emptying';

/** Accounts for the entries that came after the states were saved, and finds those that are not in the index yet. */
function readLog(reader: Reader, view: View): readonly UnsavedEpoch[] {
  const filed = new Map<string, number>();
  for (const { key, value } of entriesOf(reader, kindRange('M'))) {
    const mark = decodeMark(value);
    if (mark === undefined) continue;
    filed.set(agentOfFiled(key), mark.number);
    view.sizes.set(agentOfFiled(key), mark.bytes);
  }
  const rolledTo = new Map<string, number>();
  const isRolled = (agent: string, number: number): boolean => {
    let to = rolledTo.get(agent);
    if (to === undefined) {
      const state = decodeRollupState(reader.get(rollupStateKey(agent)));
      if (state !== undefined) view.rollups.set(agent, state);
      to = state?.to ?? 0;
      rolledTo.set(agent, to);
    }
    return number <= to;
  };
  for (const agent of view.epochs.keys()) isRolled(agent, 0);
  /** By agent, then epoch. */
  const unsaved = new Map<string, Map<Epoch, UnsavedEpoch>>();
  for (const { value } of entriesOf(reader, entryRange(0))) {
    const entry = decodeLogEntry(value);
    if (entry === undefined) continue;
    const { agent, epoch, record, isDownsampled } = entry;
    if (isEmptied(view, agent)) continue;
    const { logNumber, segments } = record;
    const isFiled = entry.isFiled || logNumber <= (filed.get(agent) ?? 0);
    const isToRoll = !isRolled(agent, logNumber);
    const held = isFiled && !isToRoll ? undefined : readable(reader, entry);
    if (held !== undefined && !isFiled) addEntry(view.tails, agent, held);
    if (held !== undefined && isToRoll) addEntry(view.unrolled, agent, held);
    const state = heldOf(view, agent, epoch) ?? EMPTY_EPOCH;
    if (logNumber <= state.logTo) continue;
    // An entry beyond the saved state came after the last run was noted, which saves it.
    putEpoch(view, agent, epoch, markDelivered(accountSegments(state, { segments, isDownsampled })));
    const ofAgent = unsaved.get(agent) ?? new Map<Epoch, UnsavedEpoch>();
    unsaved.set(agent, ofAgent);
    if (!ofAgent.has(epoch)) ofAgent.set(epoch, { agent, epoch, from: logNumber });
  }
  return [...unsaved.values()]
    .flatMap((ofAgent) => [...ofAgent.values()])
    .sort((one, other) => one.from - other.from);
}

/** Undefined when not even its header can be read, or its frame has left the index. */
function readable(reader: Reader, entry: LogEntry): TailEntry | undefined {
  try {
    const whole = entry.isFiled ? readLogEntry(reader, entry.record.logNumber) : entry;
    return whole === undefined ? undefined : tailEntryOf(whole);
  } catch {
    return undefined;
  }
}
