/**
 * Files frames from the log into the index, where they are found by seq, time and arrival: what has come of an agent at
 * once, with small frames of consecutive seqs as one. Until then queries read them from the log.
 */
import type { Storage } from '../../storage/storage.ts';
import { putRecord, type RecordPlace } from './append-frame.ts';
import type { FrameRecord } from './frame-record.ts';
import { emptyRun, fits, isSmall, join, merged, mergedRecord, type Piece, pieceOf } from './frame-run.ts';
import { readLogEntry, type TailEntry } from './log-entry.ts';
import type { Transaction } from './transactions.ts';

/** Entries of one agent that are worth filing at once. */
const MANY_ENTRIES = 64;
const MANY_SAMPLES = 1024;
/** Entries of all agents that are kept in memory; beyond it those of the fullest are filed. */
const MAX_ENTRIES = 131_072;
/** Entries of one read: each snapshot of the storage costs as much as several of them. */
const ENTRIES_PER_READ = 16;
/** Frames that arrived further apart are not merged: retention removes whole records, by their last arrival. */
const MAX_ARRIVAL_SPAN_MS = 60_000;
/** Of one transaction, as commits of frames wait for it. */
const PASS_ENTRIES = 512;
const PASS_BYTES = 2 * 1024 * 1024;

export type FilingPlan = {
  readonly agent: string;
  /** Numbers of the first and the last entry that are filed. */
  readonly from: number;
  readonly to: number;
  readonly records: readonly (RecordPlace & FrameRecord)[];
  /** Frames that went into merged ones, and those. */
  readonly merged: number;
  readonly into: number;
};

/** What is to be filed of an agent now. */
export type Filing = { readonly agent: string; readonly entries: readonly TailEntry[] };

export type DueOptions = {
  /** Entries up to this number have waited long enough. */
  readonly before: number;
  /** Those that arrived earlier are about to be removed for their age. */
  readonly arrivedBefore: number;
};

export function entriesIn(tails: ReadonlyMap<string, readonly TailEntry[]>): number {
  let entries = 0;
  for (const tail of tails.values()) entries += tail.length;
  return entries;
}

/** Whether filing must not wait for others any more. */
export const isCrowded = (tails: ReadonlyMap<string, readonly TailEntry[]>): boolean =>
  entriesIn(tails) > MAX_ENTRIES;

/** What is due of all agents, as much as one transaction may take. */
export function dueFilings(
  tails: ReadonlyMap<string, readonly TailEntry[]>,
  { before, arrivedBefore }: DueOptions,
): readonly Filing[] {
  const held = entriesIn(tails);
  const enough = held > MAX_ENTRIES ? Math.min(held / tails.size, MANY_ENTRIES) : MANY_ENTRIES;
  const due: Filing[] = [];
  const room = { entries: PASS_ENTRIES, bytes: PASS_BYTES };
  for (const [agent, tail] of tails) {
    const [first] = tail;
    if (first === undefined) continue;
    const isDue =
      first.number <= before ||
      first.arrivalTs < arrivedBefore ||
      tail.length >= enough ||
      tail.reduce((sum, { samples }) => sum + samples, 0) >= MANY_SAMPLES;
    if (!isDue) continue;
    due.push({ agent, entries: takeFrom(tail, room) });
    if (room.entries <= 0 || room.bytes <= 0) break;
  }
  return due;
}

function takeFrom(
  tail: readonly TailEntry[],
  room: { entries: number; bytes: number },
): readonly TailEntry[] {
  const taken: TailEntry[] = [];
  for (const entry of tail) {
    if (taken.length > 0 && (room.entries <= 0 || room.bytes <= 0)) break;
    taken.push(entry);
    room.entries -= 1;
    room.bytes -= entry.bytes;
  }
  return taken;
}

/** Reads the entries and merges what can be; writes nothing. `onBad`: told of a frame that cannot be read. */
export function* planFiling(
  storage: Storage,
  { agent, entries }: Filing,
  onBad: (entry: TailEntry, error: unknown) => void,
): Generator<void, FilingPlan> {
  const pieces: (Piece & { readonly epoch: string })[] = [];
  for (let at = 0; at < entries.length; at += ENTRIES_PER_READ) {
    const some = entries.slice(at, at + ENTRIES_PER_READ);
    const read = storage.read((reader) => some.map(({ number }) => readLogEntry(reader, number)));
    for (const [index, entry] of some.entries()) {
      const record = read[index]?.record;
      if (record === undefined) onBad(entry, new Error('its entry of the log is damaged'));
      else pieces.push({ ...pieceOf(entry.first, record), epoch: entry.epoch });
      yield;
    }
  }
  pieces.sort((a, b) => (a.epoch < b.epoch ? -1 : a.epoch > b.epoch ? 1 : a.first - b.first));
  const records: (RecordPlace & FrameRecord)[] = [];
  let mergedFrames = 0;
  let into = 0;
  for (const run of runsOf(pieces)) {
    const [first] = run;
    if (first === undefined) continue;
    const place = { agent, epoch: first.epoch };
    if (run.length > 1) {
      try {
        records.push({ ...place, ...mergedRecord(run, yield* merged(run)) });
        mergedFrames += run.length;
        into += 1;
        continue;
      } catch (error) {
        const bad = entries.find(({ number }) => number === first.record.logNumber);
        if (bad !== undefined) onBad(bad, error);
      }
    }
    for (const { tsMin, tsMax, record } of run) records.push({ ...place, ...record, tsMin, tsMax });
  }
  return {
    agent,
    from: entries[0]?.number ?? 0,
    to: entries.at(-1)?.number ?? 0,
    records,
    merged: mergedFrames,
    into,
  };
}

/** In the order given; what cannot be merged is a run of its own. */
function runsOf<T extends Piece & { readonly epoch: string }>(
  pieces: readonly T[],
): readonly (readonly T[])[] {
  const runs: T[][] = [];
  let run = emptyRun();
  let epoch = '';
  for (const piece of pieces) {
    const open = runs.at(-1);
    const [first] = run.pieces;
    if (
      open !== undefined &&
      first !== undefined &&
      piece.epoch === epoch &&
      fits(run, piece) &&
      isNear(first, piece)
    ) {
      open.push(piece);
    } else {
      runs.push([piece]);
      run = emptyRun();
      epoch = piece.epoch;
      if (!isSmall(piece)) continue;
    }
    join(run, piece);
  }
  return runs;
}

function isNear(one: Piece, other: Piece): boolean {
  const arrival = ({ record }: Piece) => record.segments[0]?.arrivalTs ?? 0;
  return Math.abs(arrival(one) - arrival(other)) <= MAX_ARRIVAL_SPAN_MS;
}

/** False: the entries are not in the tail any more, and nothing was done. */
export function commitFiling(transaction: Transaction, { agent, from, to, records }: FilingPlan): boolean {
  if (transaction.tail(agent)[0]?.number !== from) return false;
  for (const record of records) putRecord(transaction, record);
  transaction.setFiled(agent, to);
  return true;
}
