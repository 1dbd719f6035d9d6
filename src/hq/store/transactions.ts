/**
 * Transactions of the store, with what they need kept in memory.
 *
 * Two views: `working` is what the transactions run so far would leave behind, and is read and written only inside of
 * them; `durable` is what has been flushed, and is what HQ acks and shows. Each transaction raises a revision in the
 * same commit. One that finds another revision than the last one left (a commit failed, or it appeared although it was
 * said to have failed) forgets `working` and reads the records again: memory can never say more than the storage holds.
 */
import { Observable } from 'rxjs';
import type { Epoch } from '../../protocol/sample.ts';
import type { Reader, Storage, Writer } from '../../storage/storage.ts';
import {
  decodeAgent,
  decodeEpochState,
  type EpochState,
  encodeEpochState,
  type StoredAgent,
  toJson,
} from './epoch-state.ts';
import { agentKey, asBuffer, epochKey, kindRange, META_KEY, parseLogKey } from './keys.ts';
import { rebuildEpoch } from './rebuild.ts';

export type Transaction = {
  readonly writer: Writer;
  readonly epoch: (agent: string, epoch: Epoch) => EpochState | undefined;
  readonly setEpoch: (agent: string, epoch: Epoch, state: EpochState) => void;
  readonly agent: (agent: string) => StoredAgent | undefined;
  readonly setAgent: (agent: string, record: StoredAgent) => void;
  /** The next number of the arrival log. */
  readonly nextLogNumber: () => number;
};

export type View = {
  readonly agents: Map<string, StoredAgent>;
  /** By agent, then epoch. */
  readonly epochs: Map<string, Map<Epoch, EpochState>>;
};

export type Transactions = {
  readonly durable: View;
  /** Runs `work` in a durable transaction; emits its result once flushed and `durable` says so. */
  readonly run: <T>(work: (transaction: Transaction) => T) => Observable<T>;
};

const emptyView = (): View => ({ agents: new Map(), epochs: new Map() });

function put(view: View, agent: string, epoch: Epoch, state: EpochState): void {
  const epochs = view.epochs.get(agent);
  if (epochs === undefined) view.epochs.set(agent, new Map([[epoch, state]]));
  else epochs.set(epoch, state);
}

function readMeta(reader: Reader): { revision: number; log: number } {
  const value = reader.get(META_KEY);
  if (value?.length === 12) {
    const bytes = asBuffer(value);
    return { revision: bytes.readUIntBE(0, 6), log: bytes.readUIntBE(6, 6) };
  }
  // New or damaged: the arrival log goes on behind its last entry, as two frames under one number would lose the first.
  const last = reader.keys({ ...kindRange('L'), reverse: true, limit: 1 })[0];
  return { revision: 0, log: last === undefined ? 1 : parseLogKey(last) + 1 };
}
function writeMeta(revision: number, log: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(12);
  bytes.writeUIntBE(revision, 0, 6);
  bytes.writeUIntBE(log, 6, 6);
  return bytes;
}

/**
 * `load` reads all that the storage holds now. `heardOf`: the highest seq of an epoch that HQ was told of, written
 * along.
 */
export function createTransactions(
  storage: Storage,
  load: () => View,
  heardOf: (agent: string, epoch: Epoch) => number,
): Transactions {
  const durable = load();
  /** Revision that `durable` shows. */
  let shown = storage.read(readMeta).revision;
  const working = emptyView();
  let workingRevision = -1;

  const show = ({ agents, epochs }: View) => {
    for (const [agent, record] of agents) durable.agents.set(agent, record);
    for (const [agent, ofAgent] of epochs) {
      for (const [epoch, state] of ofAgent) put(durable, agent, epoch, state);
    }
  };

  type Attempt<T> = { readonly result: T; readonly staged: View; readonly revision: number };
  function attempt<T>(writer: Writer, work: (transaction: Transaction) => T): Attempt<T> {
    const meta = readMeta(writer);
    if (meta.revision !== workingRevision) {
      working.agents.clear();
      working.epochs.clear();
    }
    const staged = emptyView();
    let log = meta.log;
    const transaction: Transaction = {
      writer,
      epoch: (agent, epoch) => {
        const known = staged.epochs.get(agent)?.get(epoch) ?? working.epochs.get(agent)?.get(epoch);
        const state =
          known ?? decodeEpochState(writer.get(epochKey(agent, epoch))) ?? rebuildEpoch(writer, agent, epoch);
        if (state === undefined) return undefined;
        if (known === undefined) put(working, agent, epoch, state);
        return state;
      },
      setEpoch: (agent, epoch, state) => {
        const sampled = Math.max(state.sampled, heardOf(agent, epoch));
        put(staged, agent, epoch, sampled === state.sampled ? state : { ...state, sampled });
      },
      agent: (agent) => {
        const known = staged.agents.get(agent) ?? working.agents.get(agent);
        const record = known ?? decodeAgent(writer.get(agentKey(agent)));
        if (record === undefined) return undefined;
        if (known === undefined) working.agents.set(agent, record);
        return record;
      },
      setAgent: (agent, record) => void staged.agents.set(agent, record),
      nextLogNumber: () => log++,
    };
    // Until the commit is through, only a matching revision can bring `working` back into use.
    workingRevision = -1;
    const result = work(transaction);
    for (const [agent, record] of staged.agents) {
      writer.put(agentKey(agent), toJson(record));
      working.agents.set(agent, record);
    }
    for (const [agent, epochs] of staged.epochs) {
      for (const [epoch, state] of epochs) {
        writer.put(epochKey(agent, epoch), encodeEpochState(state));
        put(working, agent, epoch, state);
      }
    }
    writer.put(META_KEY, writeMeta(meta.revision + 1, log));
    workingRevision = meta.revision + 1;
    return { result, staged, revision: workingRevision };
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
          next: ({ result, staged, revision }) => {
            // One in between was said to have failed and got through: what it changed nobody has shown.
            show(revision === shown + 1 ? staged : load());
            shown = revision;
            subscriber.next(result);
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
  return { durable, run };
}
