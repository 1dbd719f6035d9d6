/**
 * What an agent's disk has ever held, told by the disk itself, not by the journal: which seqs were committed with which
 * content, and which frames are there now.
 */

import { FRAME_KEY_BYTES } from '../../src/journal/keys.ts';
import { type Coverage, cover, EMPTY_COVERAGE, missingWithin, unite } from '../../src/protocol/coverage.ts';
import { openValue } from '../../src/storage/checked-record.ts';
import { keyBytes } from '../../src/storage/key-text.ts';
import type { Operation } from '../../src/storage/overlay.ts';
import { type Archive, type BucketSaid, createArchive } from './bucket-truth.ts';
import { type DiskTruth, type EpochTruth, epochIn, type HeldFrame } from './epoch-truth.ts';
import { excuseGivenUp, excuseMoved } from './excuses.ts';
import { putFrame } from './learn-frame.ts';
import type { Violations } from './violations.ts';

const FRAME_PREFIX = 0x40;

export type AgentTruth = {
  readonly agent: string;
  /** Every sample that it knows of. */
  readonly archive: Archive;
  /** The id under which HQ knows an epoch of it. */
  readonly idOf: (epoch: string) => string;
  readonly epochs: ReadonlyMap<string, EpochTruth>;
  /** The epoch under which a sample was last written, by its identity. */
  readonly epochOf: (id: number) => string | undefined;
  readonly held: () => Iterable<HeldFrame>;
  /** What a bucket of an epoch says wrongly of the samples that it stands for; null: nothing. */
  readonly wrongOf: (epoch: string, bucket: BucketSaid) => string | null;
  readonly wrote: (operations: readonly Operation[]) => void;
  /** The disk is another one now: what only the old one held is gone, and nobody can be blamed for it. */
  readonly replaced: (records: ReadonlyMap<string, Uint8Array>) => void;
};

export type AgentTruthOptions = {
  readonly agent: string;
  /** Of the one whose disk it begins with a copy of: thinned frames on it stand for samples that it never had. */
  readonly archive?: Archive;
  /** The id under which HQ knows an epoch of it; default `agent`. */
  readonly idOf?: (epoch: string) => string;
  readonly now: () => number;
  readonly violations: Violations;
  /** What HQ has ever held durably of an epoch. */
  readonly everAtHq: (agent: string, epoch: string) => Coverage;
  /** Whether a sample, by its identity, was ever stored at HQ. */
  readonly wasAtHq: (id: number) => boolean;
};

export function createAgentTruth(options: AgentTruthOptions): AgentTruth {
  const { agent, idOf = () => agent, archive = createArchive(), now, violations } = options;
  const disk: DiskTruth = {
    agent,
    archive,
    epochs: new Map(),
    held: new Map(),
    places: new Map(),
    now,
    violations,
    everAtHq: (epoch) => options.everAtHq(idOf(epoch), epoch),
  };
  const { epochs, held, places } = disk;
  return {
    agent,
    archive,
    idOf,
    epochs,
    epochOf: (id) => places.get(id),
    held: () => held.values(),
    wrongOf: (epoch, bucket) => archive.explain(bucket, (seq) => epochs.get(epoch)?.originals.get(seq)).wrong,
    wrote: (operations) => {
      const { removed, written } = carryOut(disk, operations);
      for (const frame of removed) if (frame.kind !== 'gap') excuseMoved(disk, frame);
      excuseGivenUp(disk, removed, written);
      for (const frame of removed) if (frame.kind !== 'gap') checkReleased(disk, frame, written);
    },
    replaced: (records) => replace(disk, records, options.wasAtHq),
  };
}

/** Brings what is held in line with a transaction; gives what it removed and what it wrote. */
function carryOut(disk: DiskTruth, operations: readonly Operation[]) {
  const removed: HeldFrame[] = [];
  const written: HeldFrame[] = [];
  for (const { key, value } of operations) {
    if (!isFrameKey(key)) continue;
    const text = Buffer.from(key).toString('latin1');
    const before = disk.held.get(text);
    if (before !== undefined) {
      disk.held.delete(text);
      removed.push(before);
    }
    const frame = value === null ? null : putFrame(disk, text, key, value, removed);
    if (frame !== null) written.push(frame);
  }
  return { removed, written };
}

/** What a removed frame held is written again, excused, or at HQ. */
function checkReleased(
  disk: DiskTruth,
  { epoch, first, last }: HeldFrame,
  written: readonly HeldFrame[],
): void {
  const kept = coveredBy(written, epoch, EMPTY_COVERAGE);
  for (const [from, to] of missingWithin(kept, first, last)) {
    const excused = unite(disk.everAtHq(epoch), epochIn(disk, epoch).destroyed);
    for (const [a, b] of missingWithin(excused, from, to)) {
      disk.violations.report(
        'released_before_ack',
        `${disk.agent}: seqs ${a}–${b} of ${epoch} left the journal, and HQ never held them`,
      );
    }
  }
}

function replace(
  disk: DiskTruth,
  records: ReadonlyMap<string, Uint8Array>,
  wasAtHq: AgentTruthOptions['wasAtHq'],
): void {
  const { epochs, held, places } = disk;
  const before = [...held.values()];
  const committed = [...epochs].map(([epoch, truth]) => ({
    epoch,
    truth,
    contents: new Map(truth.contents),
  }));
  held.clear();
  for (const { truth } of committed) truth.contents.clear();
  for (const [text, stored] of records) {
    const key = keyBytes(text);
    if (!isFrameKey(key)) continue;
    // What was damaged already when the state was kept is gone: its journal will say so.
    const value = openValue(key, stored);
    if (value !== undefined) putFrame(disk, text, key, value);
  }
  // What is neither on the disk now nor at HQ went with the old one. Its seqs may be given out again.
  for (const { epoch, truth, contents } of committed) {
    const atHq = disk.everAtHq(epoch);
    for (const [seq, content] of contents) {
      const isHere = places.get(content.id) === epoch;
      // A copy may have delivered the same sample under an epoch of its own.
      const wasDelivered = wasAtHq(content.id) && missingWithin(atHq, seq, seq).length === 0;
      if (isHere && !truth.contents.has(seq) && wasDelivered) truth.delivered.set(seq, content);
    }
  }
  for (const { epoch, first, last } of before) {
    const kept = coveredBy([...held.values()], epoch, disk.everAtHq(epoch));
    const truth = epochIn(disk, epoch);
    for (const [from, to] of missingWithin(kept, first, last)) {
      truth.destroyed = cover(truth.destroyed, from, to);
    }
  }
}

function isFrameKey(key: Uint8Array): boolean {
  return key[0] === FRAME_PREFIX && key.length === FRAME_KEY_BYTES;
}

function coveredBy(frames: readonly HeldFrame[], epoch: string, start: Coverage): Coverage {
  return frames
    .filter((frame) => frame.epoch === epoch)
    .reduce((sum, { first, last }) => cover(sum, first, last), start);
}
