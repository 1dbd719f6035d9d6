/** What HQ's disk holds and has ever held, told by the disk itself, not by the store; and whether HQ's acks say the same. */

import { decodeFrameRecord, type Segment } from '../../src/hq/store/frame-record.ts';
import { decodeGapRecord } from '../../src/hq/store/gap-record.ts';
import { parseSeqKey } from '../../src/hq/store/keys.ts';
import { subtract } from '../../src/journal/coverage-sets.ts';
import {
  type Coverage,
  cover,
  coverageSchema,
  EMPTY_COVERAGE,
  missingWithin,
} from '../../src/protocol/coverage.ts';
import { keyBytes } from '../../src/storage/key-text.ts';
import type { Operation } from '../../src/storage/overlay.ts';
import type { Answer } from '../kernel/network-port.ts';
import { type Content, contentsOf, readHeader } from './contents.ts';
import type { Violations } from './violations.ts';

export type HqEpoch = {
  readonly stored: Map<number, Content>;
  /** Seqs by what stands for them. */
  gaps: Map<string, Coverage>;
  thinned: Coverage;
  /** The thinned frames on the disk now, and which of their seqs count. */
  readonly thinnedFrames: Map<string, { readonly bytes: Uint8Array; readonly segments: readonly Segment[] }>;
  /** Everything that is accounted for. */
  durable: Coverage;
  /** The same, and what was so before a backup was restored. */
  ever: Coverage;
  /** What a restored backup did not hold any more. */
  undone: Coverage;
  /** Contiguous of the last ack that left HQ. */
  acked: number;
};

export type HqTruth = {
  readonly epoch: (agent: string, epoch: string) => HqEpoch;
  /** Whether a sample, by its identity, was ever stored. */
  readonly wasStored: (id: number) => boolean;
  readonly agents: () => ReadonlyMap<string, ReadonlyMap<string, HqEpoch>>;
  readonly wrote: (operations: readonly Operation[]) => void;
  /** A backup has been restored. */
  readonly replaced: (records: ReadonlyMap<string, Uint8Array>) => void;
  /** Looks at an answer as it leaves HQ. */
  readonly answered: (answer: Answer) => void;
};

const FRAME = 'F'.charCodeAt(0);
const GAP = 'G'.charCodeAt(0);

type Held = {
  readonly agent: string;
  readonly epoch: string;
  readonly seqs: readonly number[];
};

const countMissing = (coverage: Coverage, first: number, last: number): number =>
  missingWithin(coverage, first, last).reduce((sum, [from, to]) => sum + to - from + 1, 0);

export function createHqTruth(violations: Violations): HqTruth {
  const agents = new Map<string, Map<string, HqEpoch>>();
  const held = new Map<string, Held>();
  const ids = new Set<number>();
  /** Who is at the other end of a wire. */
  const greeted = new Map<string, { readonly agent: string; readonly epoch: string }>();

  const epochOf = (agent: string, epoch: string): HqEpoch => {
    let epochs = agents.get(agent);
    if (epochs === undefined) {
      epochs = new Map();
      agents.set(agent, epochs);
    }
    let state = epochs.get(epoch);
    if (state === undefined) {
      state = {
        stored: new Map(),
        gaps: new Map(),
        thinned: EMPTY_COVERAGE,
        thinnedFrames: new Map(),
        durable: EMPTY_COVERAGE,
        ever: EMPTY_COVERAGE,
        undone: EMPTY_COVERAGE,
        acked: 0,
      };
      epochs.set(epoch, state);
    }
    return state;
  };
  const account = (state: HqEpoch, first: number, last: number) => {
    state.durable = cover(state.durable, first, last);
    state.ever = cover(state.ever, first, last);
  };

  const checkThinnedOnce = (state: HqEpoch, what: string, first: number, last: number) => {
    const seqs = last - first + 1;
    const overlaps = (coverage: Coverage) => countMissing(coverage, first, last) < seqs;
    let others = EMPTY_COVERAGE;
    for (const { segments } of state.thinnedFrames.values())
      for (const segment of segments) others = cover(others, segment.first, segment.last);
    if (overlaps(others)) violations.report('stored_twice', `${what}, thinned in two frames`);
    for (let seq = first; seq <= last; seq += 1) {
      if (!state.stored.has(seq)) continue;
      violations.report('stored_twice', `${what}, thinned, and ${seq} whole`);
      break;
    }
    for (const [reason, gap] of state.gaps) {
      if (overlaps(gap)) violations.report('stored_twice', `${what}, thinned, and as a gap (${reason})`);
    }
  };

  const putFrame = (text: string, key: Uint8Array, value: Uint8Array) => {
    const { agent, epoch } = parseSeqKey(key);
    const record = decodeFrameRecord(value);
    if (record === undefined) return;
    const state = epochOf(agent, epoch);
    const seqs: number[] = [];
    if (readHeader(record.frame).kind === 'thinned') {
      for (const { first, last } of record.segments) {
        checkThinnedOnce(state, `${agent}: seqs ${first}–${last} of ${epoch}`, first, last);
        state.thinned = cover(state.thinned, first, last);
        account(state, first, last);
      }
      state.thinnedFrames.set(text, { bytes: Uint8Array.from(record.frame), segments: record.segments });
      held.set(text, { agent, epoch, seqs });
      return;
    }
    const contents = contentsOf(record.frame);
    for (const { first, last } of record.segments) {
      for (let seq = first; seq <= last; seq += 1) {
        const content = contents.get(seq);
        if (content === undefined) {
          violations.report(
            'wrong_content',
            `${agent}: HQ owns seq ${seq} of ${epoch} in a frame without it`,
          );
          continue;
        }
        if (state.stored.has(seq)) violations.report('stored_twice', `${agent}: seq ${seq} of ${epoch}`);
        if (missingWithin(state.thinned, seq, seq).length === 0)
          violations.report('stored_twice', `${agent}: seq ${seq} of ${epoch}, and thinned`);
        for (const [reason, gap] of state.gaps) {
          if (missingWithin(gap, seq, seq).length === 0)
            violations.report('stored_twice', `${agent}: seq ${seq} of ${epoch}, and as a gap (${reason})`);
        }
        state.stored.set(seq, content);
        ids.add(content.id);
        seqs.push(seq);
      }
      account(state, first, last);
    }
    held.set(text, { agent, epoch, seqs });
  };
  const removeFrame = (text: string) => {
    const frame = held.get(text);
    if (frame === undefined) return;
    held.delete(text);
    const { stored, thinnedFrames } = epochOf(frame.agent, frame.epoch);
    thinnedFrames.delete(text);
    for (const seq of frame.seqs) stored.delete(seq);
  };
  const putGap = (key: Uint8Array, value: Uint8Array) => {
    const { agent, epoch, seq } = parseSeqKey(key);
    const gap = decodeGapRecord(value);
    if (gap === undefined) return;
    const state = epochOf(agent, epoch);
    for (let one = seq; one <= gap.lastSeq && gap.lastSeq - seq < 10_000; one += 1) {
      if (state.stored.has(one))
        violations.report('stored_twice', `${agent}: seq ${one} of ${epoch}, and as a gap (${gap.reason})`);
    }
    if (countMissing(state.thinned, seq, gap.lastSeq) < gap.lastSeq - seq + 1)
      violations.report(
        'stored_twice',
        `${agent}: seqs ${seq}–${gap.lastSeq} of ${epoch}, thinned, and as a gap (${gap.reason})`,
      );
    state.gaps.set(gap.reason, cover(state.gaps.get(gap.reason) ?? EMPTY_COVERAGE, seq, gap.lastSeq));
    account(state, seq, gap.lastSeq);
  };

  const answered = ({ wire, event, args, reply }: Answer) => {
    const { ok, ack } = reply as { readonly ok?: unknown; readonly ack?: unknown };
    if (ok !== true || ack === undefined) return;
    if (event === 'hello') greeted.set(wire, args[0] as { agent: string; epoch: string });
    const who = greeted.get(wire);
    if (who === undefined) return;
    const frame = event === 'frame' && args[1] instanceof Uint8Array ? readHeader(args[1]) : null;
    const epoch = frame?.epoch ?? who.epoch;
    const state = epochOf(who.agent, epoch);
    const { contiguous, ranges } = coverageSchema.parse(ack);
    for (const [first, last] of [[1, contiguous] as const, ...ranges]) {
      for (const [from, to] of missingWithin(state.durable, first, last)) {
        violations.report(
          'ack_before_flush',
          `${who.agent}: seqs ${from}–${to} of ${epoch} in answer to ${event}`,
        );
      }
    }
    if (contiguous < state.acked)
      violations.report(
        'ack_goes_back',
        `${who.agent}: contiguous ${state.acked} → ${contiguous} of ${epoch}`,
      );
    state.acked = contiguous;
    if (frame === null) return;
    const last = frame.firstSeq + frame.count - 1;
    if (missingWithin({ contiguous, ranges }, frame.firstSeq, last).length > 0)
      violations.report('ack_leaves_out', `${who.agent}: frame ${frame.firstSeq}–${last} of ${epoch}`);
  };

  return {
    epoch: epochOf,
    wasStored: (id) => ids.has(id),
    agents: () => agents,
    answered,
    wrote: (operations) => {
      for (const { key } of operations)
        if (key[0] === FRAME) removeFrame(Buffer.from(key).toString('latin1'));
      for (const { key, value } of operations) {
        if (value === null) continue;
        if (key[0] === FRAME) putFrame(Buffer.from(key).toString('latin1'), key, value);
        else if (key[0] === GAP) putGap(key, value);
      }
    },
    replaced: (records) => {
      held.clear();
      const before = new Map<HqEpoch, Coverage>();
      for (const epochs of agents.values()) {
        for (const state of epochs.values()) {
          before.set(state, state.durable);
          state.stored.clear();
          state.gaps = new Map();
          state.thinned = EMPTY_COVERAGE;
          state.thinnedFrames.clear();
          state.durable = EMPTY_COVERAGE;
          state.acked = 0;
        }
      }
      for (const [text, stored] of records) {
        const key = keyBytes(text);
        const value = stored.subarray(0, stored.length - 4);
        if (key[0] === FRAME) putFrame(text, key, value);
        else if (key[0] === GAP) putGap(key, value);
      }
      for (const [state, durable] of before) {
        for (const [from, to] of subtract(durable, state.durable)) {
          state.undone = cover(state.undone, from, to);
        }
      }
    },
  };
}
