/**
 * Transactions of the store, with what they need kept in memory.
 *
 * Two views: `working` is what the transactions run so far would leave behind, and is read and written only inside of them;
 * `durable` is what has been flushed, and is what HQ acks and shows. Each transaction raises a revision in the same
 * commit. One that finds another revision than the last one left (a commit failed, or it appeared although it was said to
 * have failed) forgets `working` and reads the records again: memory can never say more than the storage holds.
 */
import { map, type Observable, tap } from 'rxjs';
import type { Storage, Writer } from '../../journal/storage.ts';
import type { Epoch } from '../../protocol/sample.ts';
import {
  decodeAgent,
  decodeEpochState,
  type EpochState,
  encodeEpochState,
  type StoredAgent,
  toJson,
} from './epoch-state.ts';
import { agentKey, asBuffer, epochKey, META_KEY } from './keys.ts';
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

function readMeta(value: Uint8Array | undefined): { revision: number; log: number } {
  if (value === undefined || value.length !== 12) return { revision: 0, log: 1 };
  const bytes = asBuffer(value);
  return { revision: bytes.readUIntBE(0, 6), log: bytes.readUIntBE(6, 6) };
}
function writeMeta(revision: number, log: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(12);
  bytes.writeUIntBE(revision, 0, 6);
  bytes.writeUIntBE(log, 6, 6);
  return bytes;
}

/** `durable`: what the storage holds now. `heardOf`: the highest seq of an epoch that HQ was told of, written along. */
export function createTransactions(
  storage: Storage,
  durable: View,
  heardOf: (agent: string, epoch: Epoch) => number,
): Transactions {
  const working = emptyView();
  let workingRevision = -1;

  function run<T>(work: (transaction: Transaction) => T): Observable<T> {
    return storage
      .commit((writer) => {
        const meta = readMeta(writer.get(META_KEY));
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
            if (known !== undefined) return known;
            const read =
              decodeEpochState(writer.get(epochKey(agent, epoch))) ?? rebuildEpoch(writer, agent, epoch);
            if (read !== undefined) put(working, agent, epoch, read);
            return read;
          },
          setEpoch: (agent, epoch, state) => {
            const sampled = Math.max(state.sampled, heardOf(agent, epoch));
            put(staged, agent, epoch, sampled === state.sampled ? state : { ...state, sampled });
          },
          agent: (agent) => {
            const known = staged.agents.get(agent) ?? working.agents.get(agent);
            if (known !== undefined) return known;
            const read = decodeAgent(writer.get(agentKey(agent)));
            if (read !== undefined) working.agents.set(agent, read);
            return read;
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
        return { result, staged };
      })
      .pipe(
        tap(({ staged }) => {
          for (const [agent, record] of staged.agents) durable.agents.set(agent, record);
          for (const [agent, epochs] of staged.epochs) {
            for (const [epoch, state] of epochs) put(durable, agent, epoch, state);
          }
        }),
        map(({ result }) => result),
      );
  }
  return { durable, run };
}
