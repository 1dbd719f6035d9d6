/**
 * Transactions of the store, with what they need kept in memory.
 *
 * Two views: `working` is what the transactions run so far would leave behind, and is read and written only inside of
 * them; `durable` is what has been flushed, and is what HQ acks and shows. Each transaction raises a revision in the
 * same commit. One that finds another revision than the last one left (a commit failed, or it appeared although it was
 * said to have failed) forgets `working` and reads the records again: memory can never say more than the storage holds.
 *
 * What a frame changes of its epoch is not written with it: the log holds the frame, and a start accounts for those
 * again that came after the state was saved (load-view.ts).
 */
import { Observable } from 'rxjs';
import type { Epoch } from '../../protocol/sample.ts';
import type { Reader, Storage, Writer } from '../../storage/storage.ts';
import { type EpochState, encodeEpochState, type StoredAgent, toJson } from './epoch-state.ts';
import { decodeMark, encodeMark } from './filed-mark.ts';
import {
  agentKey,
  asBuffer,
  entryKey,
  epochKey,
  filedKey,
  META_KEY,
  purgedEpochKey,
  purgeKey,
} from './keys.ts';
import { lastNumberIn } from './last-number.ts';
import { encodeLogEntry, type LogEntry, type TailEntry, tailEntryOf } from './log-entry.ts';
import { isRunning, type PurgeRecord } from './purge-record.ts';
import { rollupStateKey } from './rollup-keys.ts';
import { encodeRollupState, type RollupState } from './rollup-state.ts';
import {
  addEntry,
  dropEntries,
  dropEpoch,
  encodeNumber,
  heldOf,
  type LoadedView,
  putEpoch,
  replaceView,
  type View,
  viewOf,
} from './view.ts';

export type Transaction = {
  readonly writer: Writer;
  /** Also of one that was removed with its agent: it goes on from there. */
  readonly epoch: (agent: string, epoch: Epoch) => EpochState | undefined;
  /** Of the agent; not those that were removed with it. */
  readonly epochs: (agent: string) => readonly Epoch[];
  /** Saves the state in this transaction. */
  readonly setEpoch: (agent: string, epoch: Epoch, state: EpochState) => void;
  /** Appends to the log; `state` is what the frame has made of its epoch. */
  readonly appendEntry: (entry: NewEntry, state: EpochState) => LogEntry;
  /** Entries of the agent that are not in the index yet. */
  readonly tail: (agent: string) => readonly TailEntry[];
  /** The agent's entries up to this number are in the index. */
  readonly setFiled: (agent: string, number: number) => void;
  /** The agent's frames in the index take so much more. Without effect while they are not counted. */
  readonly addBytes: (agent: string, bytes: number) => void;
  /** They have been counted. */
  readonly setBytes: (agent: string, bytes: number) => void;
  /** What was counted is wrong. */
  readonly countAgain: (agent: string) => void;
  readonly rollups: (agent: string) => RollupState | undefined;
  /** The agent's entries up to `to` are in its rollups, or missed. */
  readonly setRollups: (agent: string, state: RollupState) => void;
  readonly agent: (agent: string) => StoredAgent | undefined;
  /** One that is not retired is not removed for good either: a purge that was marked and has not begun is over. */
  readonly setAgent: (agent: string, record: StoredAgent) => void;
  readonly purge: (agent: string) => PurgeRecord | undefined;
  readonly setPurge: (agent: string, record: PurgeRecord) => void;
  /** What is kept of an epoch since it was taken from its agent. */
  readonly left: (agent: string, epoch: Epoch) => EpochState | undefined;
  /** Takes the epoch from its agent; `left`: what is kept of it. */
  readonly dropEpoch: (agent: string, epoch: Epoch, left: EpochState | null) => void;
  /** Takes the record of the agent away. */
  readonly dropAgent: (agent: string) => void;
  /** The last number of the log. */
  readonly lastNumber: () => number;
  /** Saves states that are only in memory, those that have waited longest first. */
  readonly saveEpochs: (limit: number) => void;
  /** Entries of the log up to here are in states that have been saved. */
  readonly savedTo: () => number;
};
type NewEntry = Omit<LogEntry, 'record'> & { readonly record: Omit<LogEntry['record'], 'logNumber'> };

export type Transactions = {
  readonly durable: View;
  /** Runs `work` in a durable transaction; emits its result once flushed and `durable` says so. */
  readonly run: <T>(work: (transaction: Transaction) => T) => Observable<T>;
  /** The last number of the log that is durable; one that was given out to a commit that failed is given out again. */
  readonly lastNumber: () => number;
  /** Entries that the saved states do not know of, or so it seems until the next transaction. */
  readonly unsaved: () => number;
};

/** What a transaction changes. */
type Staged = {
  readonly agents: Map<string, StoredAgent>;
  readonly epochs: Map<string, Map<Epoch, { readonly state: EpochState; readonly isSaved: boolean }>>;
  readonly entries: { readonly agent: string; readonly entry: TailEntry; readonly isFiled: boolean }[];
  readonly filed: Map<string, number>;
  readonly sizes: Map<string, number | null>;
  readonly rollups: Map<string, RollupState>;
  /** Null: it is over. */
  readonly purges: Map<string, PurgeRecord | null>;
  readonly dropped: { readonly agent: string; readonly epoch: Epoch; readonly left: EpochState | null }[];
  readonly gone: Set<string>;
  /** The first of its entries. */
  firstEntry?: number;
};

const emptyStaged = (): Staged => ({
  agents: new Map(),
  epochs: new Map(),
  entries: [],
  filed: new Map(),
  sizes: new Map(),
  rollups: new Map(),
  purges: new Map(),
  dropped: [],
  gone: new Set(),
});

function apply(view: View, staged: Staged): void {
  const { agents, epochs, entries, filed, rollups, sizes, purges, dropped, gone } = staged;
  for (const [agent, bytes] of sizes) view.sizes.set(agent, bytes);
  for (const [agent, record] of agents) view.agents.set(agent, record);
  for (const [agent, ofAgent] of epochs) {
    for (const [epoch, { state }] of ofAgent) putEpoch(view, agent, epoch, state);
  }
  for (const { agent, entry, isFiled } of entries) {
    if (!isFiled) addEntry(view.tails, agent, entry);
    addEntry(view.unrolled, agent, entry);
  }
  for (const [agent, number] of filed) dropEntries(view.tails, agent, number);
  for (const [agent, state] of rollups) {
    view.rollups.set(agent, state);
    dropEntries(view.unrolled, agent, state.to);
  }
  for (const [agent, record] of purges) {
    if (record === null) view.purges.delete(agent);
    else view.purges.set(agent, record);
  }
  for (const { agent, epoch, left } of dropped) dropEpoch(view, agent, epoch, left);
  for (const agent of gone) {
    for (const epoch of [...(view.epochs.get(agent)?.keys() ?? [])]) dropEpoch(view, agent, epoch, null);
    for (const ofAgents of [view.agents, view.tails, view.unrolled, view.rollups, view.sizes])
      ofAgents.delete(agent);
  }
}

type Meta = { readonly revision: number; readonly log: number };
function readMeta(reader: Reader): Meta {
  const value = reader.get(META_KEY);
  if (value?.length === 12) {
    const bytes = asBuffer(value);
    return { revision: bytes.readUIntBE(0, 6), log: bytes.readUIntBE(6, 6) };
  }
  // New or damaged: two frames under one number would lose the first.
  return { revision: 0, log: lastNumberIn(reader) + 1 };
}
/** The last number of the log that was given out; 0 before the first. */
export const lastNumberOf = (reader: Reader): number => readMeta(reader).log - 1;

const writeMeta = (revision: number, log: number): Uint8Array =>
  Buffer.concat([encodeNumber(revision), encodeNumber(log)]);

/** Numbers of the log from which on a state is only in memory, by epoch, those that have waited longest first. */
type Unsaved = Map<string, { readonly agent: string; readonly epoch: Epoch; readonly from: number }>;

/** What the transactions that have been run would leave behind. */
type Working = { view: View; unsaved: Unsaved; revision: number };

/**
 * `load` reads all that the storage holds now. `heardOf`: the highest seq of an epoch that HQ was told of, saved along.
 */
export function createTransactions(
  storage: Storage,
  load: (reader: Reader) => LoadedView,
  heardOf: (agent: string, epoch: Epoch) => number,
): Transactions {
  const loaded = storage.read(load);
  const durable = loaded.view;
  const meta = storage.read(readMeta);
  /** Revision that `durable` shows, and the last number of the log with it. */
  let shown = meta.revision;
  let lastNumber = meta.log - 1;
  const working: Working = {
    view: viewOf(durable),
    unsaved: unsavedOf(loaded),
    revision: meta.revision,
  };

  type Attempt<T> = {
    readonly result: T;
    readonly staged: Staged;
    readonly revision: number;
    readonly lastNumber: number;
  };
  function attempt<T>(writer: Writer, work: (transaction: Transaction) => T): Attempt<T> {
    const { revision, log } = readMeta(writer);
    if (revision !== working.revision) {
      const again = load(writer);
      working.view = again.view;
      working.unsaved = unsavedOf(again);
    }
    // Until the commit is through, only a matching revision can bring `working` back into use.
    working.revision = -1;
    const staged = emptyStaged();
    const { transaction, number } = openTransaction(writer, { working, staged, heardOf, log });
    let result: T;
    try {
      result = work(transaction);
    } catch (error) {
      // It leaves nothing behind, here and there.
      working.revision = revision;
      throw error;
    }
    write(writer, staged, { logTo: number(), view: working.view });
    writer.put(META_KEY, writeMeta(revision + 1, number() + 1));
    apply(working.view, staged);
    noteUnsaved(working.unsaved, staged);
    working.revision = revision + 1;
    return { result, staged, revision: working.revision, lastNumber: number() };
  }

  function run<T>(work: (transaction: Transaction) => T): Observable<T> {
    return new Observable<T>((subscriber) => {
      let begun = false;
      const commit = storage
        .commit((writer) => {
          begun = true;
          return attempt(writer, work);
        })
        .subscribe({
          next: (done) => {
            // One in between was said to have failed and got through: what it changed nobody has shown.
            if (done.revision === shown + 1) apply(durable, done.staged);
            else replaceView(durable, storage.read(load).view);
            shown = done.revision;
            lastNumber = done.lastNumber;
            subscriber.next(done.result);
          },
          error: (error: unknown) => subscriber.error(error),
          complete: () => subscriber.complete(),
        });
      // What has begun is seen through, whether anyone waits for it or not: `durable` must follow the storage.
      return () => {
        if (!begun) commit.unsubscribe();
      };
    });
  }
  return {
    durable,
    run,
    lastNumber: () => lastNumber,
    unsaved: () => Math.max(0, lastNumber - savedTo(working.unsaved, lastNumber)),
  };
}

function savedTo(unsaved: Unsaved, last: number): number {
  const [first] = unsaved.values();
  return first === undefined ? last : first.from - 1;
}

type Opening = {
  readonly working: Working;
  readonly staged: Staged;
  readonly heardOf: (agent: string, epoch: Epoch) => number;
  /** Number of the next entry. */
  readonly log: number;
};

function openTransaction(writer: Writer, { working, staged, heardOf, log }: Opening) {
  const { view, unsaved } = working;
  let last = log - 1;
  /** It was closed, as its agent is being removed for good: what is done to its records opens it no more. */
  const isClosed = (agent: string, epoch: Epoch) =>
    isRunning(transaction.purge(agent)) && view.epochs.get(agent)?.has(epoch) !== true;
  const put = (agent: string, epoch: Epoch, state: EpochState, isSaved: boolean) => {
    if (isClosed(agent, epoch)) return;
    const sampled = Math.max(state.sampled, heardOf(agent, epoch));
    // The log cannot tell again what was only heard of.
    const mustSave = isSaved || sampled > state.sampled;
    const ofAgent = staged.epochs.get(agent) ?? new Map();
    staged.epochs.set(agent, ofAgent);
    ofAgent.set(epoch, {
      state: sampled === state.sampled ? state : { ...state, sampled },
      isSaved: mustSave || ofAgent.get(epoch)?.isSaved === true,
    });
  };
  const transaction: Transaction = {
    writer,
    epoch: (agent, epoch) => staged.epochs.get(agent)?.get(epoch)?.state ?? heldOf(view, agent, epoch),
    epochs: (agent) => [
      ...new Set([...(view.epochs.get(agent)?.keys() ?? []), ...(staged.epochs.get(agent)?.keys() ?? [])]),
    ],
    setEpoch: (agent, epoch, state) => put(agent, epoch, state, true),
    appendEntry: (written, state) => {
      last += 1;
      const entry = { ...written, record: { ...written.record, logNumber: last } };
      writer.put(entryKey(last), encodeLogEntry(entry));
      staged.entries.push({ agent: entry.agent, entry: tailEntryOf(entry), isFiled: entry.isFiled });
      staged.firstEntry ??= last;
      put(entry.agent, entry.epoch, state, false);
      return entry;
    },
    tail: (agent) => [
      ...(view.tails.get(agent) ?? []),
      ...staged.entries.filter((one) => one.agent === agent && !one.isFiled).map(({ entry }) => entry),
    ],
    setFiled: (agent, number) => void staged.filed.set(agent, number),
    addBytes: (agent, bytes) => {
      const known = sizeIn(staged, view, agent);
      if (known !== null) staged.sizes.set(agent, Math.max(0, known + bytes));
    },
    setBytes: (agent, bytes) => void staged.sizes.set(agent, bytes),
    countAgain: (agent) => void staged.sizes.set(agent, null),
    rollups: (agent) => staged.rollups.get(agent) ?? view.rollups.get(agent),
    setRollups: (agent, state) => {
      writer.put(rollupStateKey(agent), encodeRollupState(state));
      staged.rollups.set(agent, state);
    },
    agent: (agent) => staged.agents.get(agent) ?? view.agents.get(agent),
    setAgent: (agent, record) => {
      staged.agents.set(agent, record);
      const isOver = record.retiredTs === undefined && transaction.purge(agent)?.phase === 'marked';
      if (isOver) staged.purges.set(agent, null);
    },
    purge: (agent) =>
      staged.purges.has(agent) ? (staged.purges.get(agent) ?? undefined) : view.purges.get(agent),
    setPurge: (agent, record) => void staged.purges.set(agent, record),
    left: (agent, epoch) => view.purged.get(agent)?.get(epoch),
    dropEpoch: (agent, epoch, left) => void staged.dropped.push({ agent, epoch, left }),
    dropAgent: (agent) => void staged.gone.add(agent),
    lastNumber: () => last,
    saveEpochs: (limit) => {
      for (const { agent, epoch } of [...unsaved.values()].slice(0, limit)) {
        const state = transaction.epoch(agent, epoch);
        if (state !== undefined) put(agent, epoch, state, true);
      }
    },
    savedTo: () => savedTo(unsaved, log - 1),
  };
  return { transaction, number: () => last };
}

/** Null: not counted yet. */
function sizeIn(staged: Staged, view: View, agent: string): number | null {
  const changed = staged.sizes.get(agent);
  return changed === undefined ? (view.sizes.get(agent) ?? (view.sizes.has(agent) ? null : 0)) : changed;
}

type Writing = { readonly logTo: number; readonly view: View };
function write(writer: Writer, staged: Staged, { logTo, view }: Writing): void {
  const { agents, epochs, filed, sizes, purges, dropped, gone } = staged;
  for (const agent of new Set([...filed.keys(), ...sizes.keys()])) {
    const number = filed.get(agent) ?? decodeMark(writer.get(filedKey(agent)))?.number ?? 0;
    writer.put(filedKey(agent), encodeMark({ number, bytes: sizeIn(staged, view, agent) }));
  }
  for (const [agent, record] of agents) writer.put(agentKey(agent), toJson(record));
  for (const [agent, ofAgent] of epochs) {
    for (const [epoch, { state, isSaved }] of ofAgent) {
      if (isSaved) writer.put(epochKey(agent, epoch), encodeEpochState({ ...state, logTo }));
    }
  }
  for (const [agent, record] of purges) {
    if (record === null) writer.remove(purgeKey(agent));
    else writer.put(purgeKey(agent), toJson(record));
  }
  for (const { agent, epoch, left } of dropped) {
    writer.remove(epochKey(agent, epoch));
    if (left !== null) writer.put(purgedEpochKey(agent, epoch), encodeEpochState({ ...left, logTo }));
  }
  for (const agent of gone) for (const key of [agentKey(agent), filedKey(agent)]) writer.remove(key);
}

function noteUnsaved(unsaved: Unsaved, { epochs, dropped, gone, firstEntry = 0 }: Staged): void {
  for (const [agent, ofAgent] of epochs) {
    for (const [epoch, { isSaved }] of ofAgent) {
      const name = `${agent}/${epoch}`;
      if (isSaved) unsaved.delete(name);
      else if (!unsaved.has(name)) unsaved.set(name, { agent, epoch, from: firstEntry });
    }
  }
  for (const { agent, epoch } of dropped) unsaved.delete(`${agent}/${epoch}`);
  if (gone.size === 0) return;
  for (const [name, { agent }] of unsaved) if (gone.has(agent)) unsaved.delete(name);
}

function unsavedOf({ unsaved }: LoadedView): Unsaved {
  return new Map(unsaved.map((one) => [`${one.agent}/${one.epoch}`, one]));
}
