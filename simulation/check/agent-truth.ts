/**
 * What an agent's disk has ever held, told by the disk itself, not by the journal: which seqs were committed with which content,
 * and which frames are there now.
 */

import { FRAME_KEY_BYTES, parseFrameKey } from '../../src/journal/keys.ts';
import { type Coverage, cover, EMPTY_COVERAGE, missingWithin, unite } from '../../src/protocol/coverage.ts';
import type { FrameKind } from '../../src/protocol/frame.ts';
import { openValue } from '../../src/storage/checked-record.ts';
import { keyBytes } from '../../src/storage/key-text.ts';
import type { Operation } from '../../src/storage/overlay.ts';
import { type Archive, type AtSeq, type BucketSaid, bucketsIn, createArchive } from './bucket-truth.ts';
import { type Content, contentsOf, readHeader } from './contents.ts';
import type { Violations } from './violations.ts';

const FRAME_PREFIX = 0x40;
const MAX_COMMITS = 256;

export type HeldFrame = {
  readonly epoch: string;
  readonly first: number;
  readonly last: number;
  readonly kind: FrameKind;
};

export type EpochTruth = {
  /** Every seq that was ever durable as a sample. */
  readonly contents: Map<number, Content>;
  /** The same, of seqs that HQ holds and the disk has gone back behind: they may be given out again. */
  readonly delivered: Map<number, Content>;
  /** When the newest seqs were first committed, ms of virtual time. */
  readonly commits: { readonly seq: number; readonly at: number }[];
  /** The newest sample that was ever durable at a seq, whatever became of the disk. */
  readonly originals: Map<number, Content>;
  /** Seqs that a gap ever stood for on this disk. */
  givenUp: Coverage;
  /** Seqs that a thinned frame ever stood for on this disk. */
  thinned: Coverage;
  /** Seqs that went with a disk before they were at HQ. */
  destroyed: Coverage;
};

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
  const { agent, now, violations, everAtHq, wasAtHq } = options;
  const idOf = options.idOf ?? (() => agent);
  const epochs = new Map<string, EpochTruth>();
  const held = new Map<string, HeldFrame>();
  const archive = options.archive ?? createArchive();
  /** Epoch under which a sample was last written, by its identity. */
  const places = new Map<number, string>();

  const epochOf = (epoch: string): EpochTruth => {
    let truth = epochs.get(epoch);
    if (truth === undefined) {
      truth = {
        contents: new Map(),
        delivered: new Map(),
        commits: [],
        originals: new Map(),
        givenUp: EMPTY_COVERAGE,
        thinned: EMPTY_COVERAGE,
        destroyed: EMPTY_COVERAGE,
      };
      epochs.set(epoch, truth);
    }
    return truth;
  };

  /** `removed`: in the same transaction, before it. */
  const put = (
    keyText: string,
    key: Uint8Array,
    value: Uint8Array,
    removed: readonly HeldFrame[] = [],
  ): HeldFrame | null => {
    const parsed = parseFrameKey(key);
    if (parsed === null) return null;
    const { epoch } = readHeader(value);
    const frame = { epoch, first: parsed.firstSeq, last: parsed.lastSeq, kind: parsed.kind };
    held.set(keyText, frame);
    const truth = epochOf(epoch);
    if (frame.kind === 'data') learn(truth, frame, value);
    else if (frame.kind === 'thinned') learnThinned(truth, frame, value, movedFrom(frame, removed));
    else truth.givenUp = cover(truth.givenUp, frame.first, frame.last);
    return frame;
  };

  /** What a frame held under the epoch before: a renewal moves it whole. */
  const movedFrom = ({ epoch, first, last }: HeldFrame, removed: readonly HeldFrame[]): AtSeq => {
    const old = removed.findLast(
      (one) => one.kind === 'thinned' && one.epoch !== epoch && one.last - one.first === last - first,
    );
    return (seq) => old && epochOf(old.epoch).originals.get(old.first + seq - first);
  };

  /** Thinned samples are still there, and their statistics are those of the samples that were. */
  const learnThinned = (
    truth: EpochTruth,
    { epoch, first, last }: HeldFrame,
    value: Uint8Array,
    before: AtSeq,
  ) => {
    truth.thinned = cover(truth.thinned, first, last);
    const members: Content[] = [];
    for (const bucket of bucketsIn(value)) {
      const explained = archive.explain(bucket, (seq) => truth.originals.get(seq), before);
      if (explained.wrong !== null)
        violations.report(
          'wrong_content',
          `${agent}: the bucket of seq ${bucket.start} of ${epoch} (frame ${first}–${last}) says ${explained.wrong}`,
        );
      members.push(...explained.members);
    }
    if (members.length !== last - first + 1) return;
    // Identities ascend as seqs do, in every epoch that the samples have moved through.
    members.sort((a, b) => a.id - b.id);
    for (const [index, content] of members.entries()) {
      const seq = first + index;
      places.set(content.id, epoch);
      if (!truth.originals.has(seq)) truth.originals.set(seq, content);
      if (!truth.contents.has(seq)) truth.contents.set(seq, content);
    }
  };

  const learn = (truth: EpochTruth, { epoch, first, last }: HeldFrame, value: Uint8Array) => {
    // Sealing writes each sample several times: it must be the same each time.
    for (const [seq, content] of contentsOf(value)) {
      places.set(content.id, epoch);
      archive.learn(content);
      truth.originals.set(seq, content);
      const known = truth.contents.get(seq);
      if (known === undefined) {
        const before = truth.contents.get(seq - 1);
        if (before !== undefined && before.id >= content.id)
          violations.report(
            'order',
            `${agent}: seq ${seq} of ${epoch} holds an earlier sample than ${seq - 1}`,
          );
        truth.contents.set(seq, content);
        truth.commits.push({ seq, at: now() });
        if (truth.commits.length > MAX_COMMITS) truth.commits.splice(0, MAX_COMMITS / 2);
      } else if (known.id !== content.id || known.print !== content.print) {
        violations.report(
          'wrong_content',
          `${agent}: seq ${seq} of ${epoch} (frame ${first}–${last}) changed on its own disk`,
        );
      }
    }
  };

  /** A renewed journal holds the same samples under another epoch and other seqs. */
  const excuseMoved = (epoch: string, first: number, last: number) => {
    const truth = epochOf(epoch);
    for (let seq = first; seq <= last; seq += 1) {
      const id = truth.contents.get(seq)?.id;
      if (id === undefined || places.get(id) === epoch) continue;
      truth.destroyed = cover(truth.destroyed, seq, seq);
    }
  };

  /**
   * What had been given up, and what a renewal could not take along, damaged frames and cut buckets, it counts in gaps under the
   * new epoch: so many seqs of the old one are excused, those first that HQ never held.
   */
  const excuseGivenUp = (removed: readonly HeldFrame[], put: readonly HeldFrame[]) => {
    for (const epoch of new Set(removed.map((frame) => frame.epoch))) {
      const old = removed.filter((frame) => frame.epoch === epoch);
      let left = gapSeqs(put.filter((frame) => frame.epoch !== epoch));
      const truth = epochOf(epoch);
      const atHq = everAtHq(idOf(epoch), epoch);
      for (const gap of old.filter(({ kind }) => kind === 'gap')) {
        // Of a gap only that is counted again which HQ lacks.
        const lacking = missingWithin(atHq, gap.first, gap.last);
        const seqs = lacking.reduce((sum, [first, last]) => sum + last - first + 1, 0);
        if (seqs > left) continue;
        truth.destroyed = cover(truth.destroyed, gap.first, gap.last);
        left -= seqs;
      }
      const candidates = old
        .filter(({ kind }) => kind !== 'gap')
        .flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, index) => first + index))
        .filter((seq) => missingWithin(truth.destroyed, seq, seq).length > 0)
        .sort((a, b) => b - a);
      const isNew = (seq: number) => missingWithin(atHq, seq, seq).length > 0;
      for (const seq of [...candidates.filter(isNew), ...candidates.filter((one) => !isNew(one))]) {
        if (left <= 0) break;
        truth.destroyed = cover(truth.destroyed, seq, seq);
        left -= 1;
      }
    }
  };

  return {
    agent,
    archive,
    idOf,
    epochs,
    epochOf: (id) => places.get(id),
    held: () => held.values(),
    wrongOf: (epoch, bucket) => archive.explain(bucket, (seq) => epochs.get(epoch)?.originals.get(seq)).wrong,
    wrote: (operations) => {
      const removed: HeldFrame[] = [];
      const written: HeldFrame[] = [];
      const kept = new Map<string, Coverage>();
      for (const { key, value } of operations) {
        if (key[0] !== FRAME_PREFIX || key.length !== FRAME_KEY_BYTES) continue;
        const text = Buffer.from(key).toString('latin1');
        const before = held.get(text);
        if (before !== undefined) {
          held.delete(text);
          removed.push(before);
        }
        const frame = value === null ? null : put(text, key, value, removed);
        if (frame !== null) {
          written.push(frame);
          kept.set(frame.epoch, cover(kept.get(frame.epoch) ?? EMPTY_COVERAGE, frame.first, frame.last));
        }
      }
      for (const { epoch, first, last, kind } of removed) {
        if (kind !== 'gap') excuseMoved(epoch, first, last);
      }
      excuseGivenUp(removed, written);
      for (const { epoch, first, last, kind } of removed) {
        if (kind === 'gap') continue;
        for (const [from, to] of missingWithin(kept.get(epoch) ?? EMPTY_COVERAGE, first, last)) {
          const excused = unite(everAtHq(idOf(epoch), epoch), epochOf(epoch).destroyed);
          for (const [a, b] of missingWithin(excused, from, to)) {
            violations.report(
              'released_before_ack',
              `${agent}: seqs ${a}–${b} of ${epoch} left the journal, and HQ never held them`,
            );
          }
        }
      }
    },
    replaced: (records) => {
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
        if (key[0] !== FRAME_PREFIX || key.length !== FRAME_KEY_BYTES) continue;
        // What was damaged already when the state was kept is gone: its journal will say so.
        const value = openValue(key, stored);
        if (value !== undefined) put(text, key, value);
      }
      // What is neither on the disk now nor at HQ went with the old one. Its seqs may be given out again.
      for (const { epoch, truth, contents } of committed) {
        for (const [seq, content] of contents) {
          const isHere = places.get(content.id) === epoch;
          if (isHere && !truth.contents.has(seq) && wasAtHq(content.id)) truth.delivered.set(seq, content);
        }
      }
      for (const { epoch, first, last } of before) {
        const kept = [...held.values()]
          .filter((frame) => frame.epoch === epoch)
          .reduce((sum, frame) => cover(sum, frame.first, frame.last), everAtHq(idOf(epoch), epoch));
        const truth = epochOf(epoch);
        for (const [from, to] of missingWithin(kept, first, last)) {
          truth.destroyed = cover(truth.destroyed, from, to);
        }
      }
    },
  };
}

function gapSeqs(frames: readonly HeldFrame[]): number {
  return frames.reduce((sum, { first, last, kind }) => sum + (kind === 'gap' ? last - first + 1 : 0), 0);
}
