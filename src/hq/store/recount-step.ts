/** What the steps of a recount have in common. */
import { type Coverage, EMPTY_COVERAGE, unite } from '../../protocol/coverage.ts';
import type { Epoch, SchemaRef } from '../../protocol/sample.ts';
import type { Reader, Writer } from '../../storage/storage.ts';
import { decodeEpochState } from './epoch-state.ts';
import { epochKey, type KeyRange, purgedEpochKey, successor } from './keys.ts';
import { nothingPresent, type Present } from './present.ts';
import { readRemoved } from './removed-seqs.ts';

/** The work of one commit; whether there is more. */
export type Step = (writer: Writer) => boolean;

export type Recount = {
  /** HQ's wall time, ms. */
  readonly now: number;
  /** By agent and epoch, as `nameOf` has them. */
  readonly present: Map<string, Present>;
  /** Agents that are being removed for good: what is left of them counts for nothing, and goes. */
  readonly leaving: Set<string>;
  /** Keys that were written by the step itself, which it must not look at again. */
  readonly written: Set<string>;
  /** Seqs by agent: those that it is asked for, and those that are accounted as lost. */
  readonly losses: Map<string, { again: number; lost: number }>;
  /** By agent: what its frames take in the index (filed-mark.ts). */
  readonly bytes: Map<string, number>;
  /** By agent: schemas that its frames name. */
  readonly schemas: Map<string, Set<SchemaRef>>;
  readonly tally: {
    frames: number;
    unreadable: number;
    epochs: number;
    again: number;
    lost: number;
    keys: number;
  };
  /** The next number of the log; larger than any that was ever given out. */
  nextNumber: number;
};

const STEP_KEYS = 2_048;
const STEP_BYTES = 4 * 1024 * 1024;

/** Visits all keys of a range, some in each commit. `visit` gives about how many bytes it has read. */
export function eachKey(range: KeyRange, visit: (writer: Writer, key: Uint8Array) => number): Step {
  let { from } = range;
  return (writer) => {
    let bytes = 0;
    const keys = writer.keys({ from, to: range.to, limit: STEP_KEYS });
    for (const key of keys) {
      bytes += visit(writer, key);
      from = successor(key);
      if (bytes >= STEP_BYTES) return true;
    }
    return keys.length === STEP_KEYS;
  };
}

export const nameOf = (agent: string, epoch: Epoch): string => `${agent}/${epoch}`;

/** Begins with what was removed: a record of it that has come back counts no more. */
export function presentOf(
  { present }: Recount,
  reader: Reader,
  { agent, epoch }: { readonly agent: string; readonly epoch: Epoch },
): Present {
  const name = nameOf(agent, epoch);
  const known = present.get(name);
  if (known !== undefined) return known;
  const begun = nothingPresent();
  begun.counted = { ...begun.counted, coverage: goneOf(reader, agent, epoch) };
  present.set(name, begun);
  return begun;
}

/** By retention, or with its agent, unless that has come back. */
function goneOf(reader: Reader, agent: string, epoch: Epoch): Coverage {
  const removed = readRemoved(reader, agent, epoch)?.coverage ?? EMPTY_COVERAGE;
  const purged = decodeEpochState(reader.get(purgedEpochKey(agent, epoch)))?.coverage;
  const isBack = reader.get(epochKey(agent, epoch)) !== undefined;
  return purged === undefined || isBack ? removed : unite(removed, purged);
}
