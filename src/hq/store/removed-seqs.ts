/**
 * What retention has removed of an epoch: its seqs go on counting as what they were, while seqs whose frame is gone for
 * another reason were lost. By this record the two are told apart when damage was met (see recount-epoch.ts).
 *
 * Bound: MAX_RANGES ranges an epoch; beyond it what lies between the oldest of them counts as removed as well.
 */
import { type Coverage, coveredCount } from '../../protocol/coverage.ts';
import { readHeader } from '../../protocol/frame-codec.ts';
import type { Epoch } from '../../protocol/sample.ts';
import type { Reader } from '../../storage/storage.ts';
import {
  type Accounting,
  account,
  type Counted,
  countsSchema,
  EMPTY_EPOCH,
  NOTHING_COUNTED,
  parseJson,
  THINNED,
  toJson,
} from './epoch-state.ts';
import type { FrameRecord } from './frame-record.ts';
import { epochKey, parseSeqKey, seqRange } from './keys.ts';
import type { Transaction } from './transactions.ts';

export type RemovedSeqs = Counted & {
  /** What lies below was removed before anything was noted, where it is not there any more; 1 for nothing. */
  readonly before: number;
};

const MAX_RANGES = 10_000;
const removedSchema = countsSchema.extend({ before: countsSchema.shape.sampled });

type Place = { readonly agent: string; readonly epoch: Epoch };
export type RemovedPart = Place & {
  readonly accounting: Accounting;
  readonly first: number;
  readonly last: number;
};

/** A frame that is removed, by its segments. */
export function partsOf({ agent, epoch }: Place, { segments, frame }: FrameRecord): readonly RemovedPart[] {
  const accounting = readHeader(frame).kind === 'thinned' ? THINNED : ({ kind: 'data' } as const);
  return segments.map(({ first, last }) => ({ agent, epoch, accounting, first, last }));
}

/** Undefined when nothing was noted, or the record cannot be read. */
export function readRemoved(reader: Reader, agent: string, epoch: Epoch): RemovedSeqs | undefined {
  const parsed = removedSchema.safeParse(parseJson(reader.get(epochKey(agent, epoch, 'Q'))));
  return parsed.success ? parsed.data : undefined;
}

/** To be called in the transaction that removes them, once they are removed. */
export function noteRemoved(transaction: Transaction, parts: readonly RemovedPart[]): void {
  const byEpoch = new Map<string, RemovedPart[]>();
  for (const part of parts) {
    const name = `${part.agent}/${part.epoch}`;
    const known = byEpoch.get(name);
    if (known === undefined) byEpoch.set(name, [part]);
    else known.push(part);
  }
  for (const ofEpoch of byEpoch.values()) noteOfEpoch(transaction, ofEpoch);
}

function noteOfEpoch(transaction: Transaction, parts: readonly RemovedPart[]): void {
  const [part] = parts;
  if (part === undefined) return;
  const { agent, epoch } = part;
  const state = transaction.epoch(agent, epoch) ?? EMPTY_EPOCH;
  const before = state.removed?.before ?? firstHeld(transaction, parts);
  let removed = readRemoved(transaction.writer, agent, epoch) ?? { ...NOTHING_COUNTED, before };
  for (const { accounting, first, last } of parts) removed = account(removed, accounting, first, last).state;
  removed = { ...removed, coverage: bounded(removed.coverage) };
  transaction.writer.put(epochKey(agent, epoch, 'Q'), toJson(removed));
  const seqs = coveredCount(removed.coverage);
  transaction.setEpoch(agent, epoch, { ...state, removed: { seqs, before: removed.before } });
}

/** The lowest seq of a frame, as it was before these were removed. */
function firstHeld({ writer }: Transaction, parts: readonly RemovedPart[]): number {
  const lowest = Math.min(...parts.map(({ first }) => first));
  const [{ agent, epoch }] = parts as readonly [RemovedPart];
  const key = writer.keys({ ...seqRange('F', agent, epoch, 0), limit: 1 })[0];
  return key === undefined ? lowest : Math.min(lowest, parseSeqKey(key).seq);
}

function bounded(coverage: Coverage): Coverage {
  const { contiguous, ranges } = coverage;
  const over = ranges.length - MAX_RANGES;
  if (over <= 0) return coverage;
  return { contiguous: ranges[over - 1]?.[1] ?? contiguous, ranges: ranges.slice(over) };
}
