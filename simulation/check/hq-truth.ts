/**
 * What HQ's disk holds and has ever held, told by the disk itself, not by the store; and whether HQ's acks say the
 * same.
 */

import { decodeFrameRecord, type FrameRecord, type Segment } from '../../src/hq/store/frame-record.ts';
import { decodeGapRecord } from '../../src/hq/store/gap-record.ts';
import { agentOfFiled, parseEntryKey, parseSeqKey } from '../../src/hq/store/keys.ts';
import { decodeLogEntry } from '../../src/hq/store/log-entry.ts';
import {
  type Coverage,
  cover,
  coverageSchema,
  EMPTY_COVERAGE,
  missingWithin,
  subtract,
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
  readonly downsampledFrames: Map<
    string,
    { readonly bytes: Uint8Array; readonly segments: readonly Segment[] }
  >;
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
const ENTRY = 'J'.charCodeAt(0);
const FILED = 'M'.charCodeAt(0);
const GAP = 'G'.charCodeAt(0);

type Held = {
  readonly agent: string;
  readonly epoch: string;
  readonly seqs: readonly number[];
};

type HqDiskTruth = {
  readonly agents: Map<string, Map<string, HqEpoch>>;
  /** The frames on the disk now, by key: those of the index, and those of the log that are not in the index yet. */
  readonly held: Map<string, Held>;
  /** By agent: entries of the log up to this number are in the index. */
  readonly filed: Map<string, number>;
  /** Samples that were ever stored, by their identity. */
  readonly ids: Set<number>;
  readonly violations: Violations;
};

export function createHqTruth(violations: Violations): HqTruth {
  const disk: HqDiskTruth = {
    agents: new Map(),
    held: new Map(),
    filed: new Map(),
    ids: new Set(),
    violations,
  };
  return {
    epoch: (agent, epoch) => epochIn(disk, agent, epoch),
    wasStored: (id) => disk.ids.has(id),
    agents: () => disk.agents,
    answered: createAnswerCheck(disk),
    wrote: (operations) => {
      for (const { key } of operations)
        if (key[0] === FRAME || key[0] === ENTRY) removeFrame(disk, Buffer.from(key).toString('latin1'));
      for (const { key, value } of operations) if (key[0] === FILED && value !== null) file(disk, key, value);
      for (const { key, value } of operations)
        if (value !== null) put(disk, Buffer.from(key).toString('latin1'), key, value);
    },
    replaced: (records) => replace(disk, records),
  };
}

/** Looks at the acks of HQ's answers. */
function createAnswerCheck(disk: HqDiskTruth): HqTruth['answered'] {
  const { violations } = disk;
  /** Who is at the other end of a wire. */
  const accepted = new Map<string, { readonly agent: string; readonly epoch: string }>();
  return ({ wire, event, args, reply }) => {
    const { ok, ack } = reply as { readonly ok?: unknown; readonly ack?: unknown };
    if (ok !== true || ack === undefined) return;
    if (event === 'hello') accepted.set(wire, args[0] as { agent: string; epoch: string });
    const who = accepted.get(wire);
    if (who === undefined) return;
    const frame = event === 'frame' && args[1] instanceof Uint8Array ? readHeader(args[1]) : null;
    const epoch = frame?.epoch ?? who.epoch;
    const state = epochIn(disk, who.agent, epoch);
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
}

function epochIn({ agents }: HqDiskTruth, agent: string, epoch: string): HqEpoch {
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
      downsampledFrames: new Map(),
      durable: EMPTY_COVERAGE,
      ever: EMPTY_COVERAGE,
      undone: EMPTY_COVERAGE,
      acked: 0,
    };
    epochs.set(epoch, state);
  }
  return state;
}

function account(state: HqEpoch, first: number, last: number): void {
  state.durable = cover(state.durable, first, last);
  state.ever = cover(state.ever, first, last);
}

function countMissing(coverage: Coverage, first: number, last: number): number {
  return missingWithin(coverage, first, last).reduce((sum, [from, to]) => sum + to - from + 1, 0);
}

function put(disk: HqDiskTruth, text: string, key: Uint8Array, value: Uint8Array): void {
  if (key[0] === FRAME) {
    const record = decodeFrameRecord(value);
    if (record !== undefined) putFrame(disk, text, { ...parseSeqKey(key), record });
  } else if (key[0] === ENTRY) {
    const entry = decodeLogEntry(value);
    if (entry === undefined || entry.isFiled) return;
    if (entry.record.logNumber > (disk.filed.get(entry.agent) ?? 0)) putFrame(disk, text, entry);
  } else if (key[0] === GAP) putGap(disk, key, value);
}

/** What the log holds of the agent up to this number must be in the index from now on. */
function file(disk: HqDiskTruth, key: Uint8Array, value: Uint8Array): void {
  const agent = agentOfFiled(key);
  const number = Buffer.from(value).readUIntBE(0, 6);
  disk.filed.set(agent, number);
  for (const [text, held] of disk.held) {
    const isEntry = text.charCodeAt(0) === ENTRY && held.agent === agent;
    if (isEntry && parseEntryKey(Buffer.from(text, 'latin1')) <= number) removeFrame(disk, text);
  }
}

function putFrame(
  disk: HqDiskTruth,
  text: string,
  { agent, epoch, record }: { readonly agent: string; readonly epoch: string; readonly record: FrameRecord },
): void {
  const state = epochIn(disk, agent, epoch);
  const what = (seqs: string) => `${agent}: ${seqs} of ${epoch}`;
  const isDownsampled = readHeader(record.frame).kind === 'thinned';
  const seqs = isDownsampled ? [] : putSamples(disk, state, record, what);
  if (isDownsampled) putDownsampled(disk, state, text, record, what);
  disk.held.set(text, { agent, epoch, seqs });
}

function putDownsampled(
  { violations }: HqDiskTruth,
  state: HqEpoch,
  text: string,
  { frame, segments }: FrameRecord,
  what: (seqs: string) => string,
): void {
  for (const { first, last } of segments) {
    checkDownsampledOnce(violations, state, what(`seqs ${first}–${last}`), first, last);
    state.thinned = cover(state.thinned, first, last);
    account(state, first, last);
  }
  state.downsampledFrames.set(text, { bytes: Uint8Array.from(frame), segments });
}

/** Gives the seqs that count. */
function putSamples(
  { ids, violations }: HqDiskTruth,
  state: HqEpoch,
  { frame, segments }: FrameRecord,
  what: (seqs: string) => string,
): readonly number[] {
  const seqs: number[] = [];
  const contents = readable(violations, frame, what);
  for (const { first, last } of segments) {
    for (let seq = first; seq <= last; seq += 1) {
      const content = contents.get(seq);
      if (content === undefined) {
        if (contents.size === 0) break;
        violations.report('wrong_content', `${what(`HQ owns seq ${seq}`)} in a frame without it`);
        continue;
      }
      checkSampleOnce(violations, state, what(`seq ${seq}`), seq);
      state.stored.set(seq, content);
      ids.add(content.id);
      seqs.push(seq);
    }
    account(state, first, last);
  }
  return seqs;
}

/** What HQ has stored it can read: it decodes before it acks. */
function readable(
  violations: Violations,
  frame: Uint8Array,
  what: (seqs: string) => string,
): ReturnType<typeof contentsOf> {
  try {
    return contentsOf(frame);
  } catch (error) {
    violations.report('unreadable', `${what(`the frame of seq ${readHeader(frame).firstSeq}`)}: ${error}`);
    return new Map();
  }
}

function checkSampleOnce(violations: Violations, state: HqEpoch, what: string, seq: number): void {
  if (state.stored.has(seq)) violations.report('stored_twice', what);
  if (missingWithin(state.thinned, seq, seq).length === 0)
    violations.report('stored_twice', `${what}, and thinned`);
  for (const [reason, gap] of state.gaps) {
    if (missingWithin(gap, seq, seq).length === 0)
      violations.report('stored_twice', `${what}, and as a gap (${reason})`);
  }
}

function checkDownsampledOnce(
  violations: Violations,
  state: HqEpoch,
  what: string,
  first: number,
  last: number,
): void {
  const seqs = last - first + 1;
  const overlaps = (coverage: Coverage) => countMissing(coverage, first, last) < seqs;
  let others = EMPTY_COVERAGE;
  for (const { segments } of state.downsampledFrames.values())
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
}

function removeFrame(disk: HqDiskTruth, text: string): void {
  const frame = disk.held.get(text);
  if (frame === undefined) return;
  disk.held.delete(text);
  const { stored, downsampledFrames } = epochIn(disk, frame.agent, frame.epoch);
  downsampledFrames.delete(text);
  for (const seq of frame.seqs) stored.delete(seq);
}

function putGap(disk: HqDiskTruth, key: Uint8Array, value: Uint8Array): void {
  const { agent, epoch, seq } = parseSeqKey(key);
  const gap = decodeGapRecord(value);
  if (gap === undefined) return;
  const state = epochIn(disk, agent, epoch);
  for (let one = seq; one <= gap.lastSeq && gap.lastSeq - seq < 10_000; one += 1) {
    if (state.stored.has(one))
      disk.violations.report(
        'stored_twice',
        `${agent}: seq ${one} of ${epoch}, and as a gap (${gap.reason})`,
      );
  }
  if (countMissing(state.thinned, seq, gap.lastSeq) < gap.lastSeq - seq + 1)
    disk.violations.report(
      'stored_twice',
      `${agent}: seqs ${seq}–${gap.lastSeq} of ${epoch}, thinned, and as a gap (${gap.reason})`,
    );
  state.gaps.set(gap.reason, cover(state.gaps.get(gap.reason) ?? EMPTY_COVERAGE, seq, gap.lastSeq));
  account(state, seq, gap.lastSeq);
}

function replace(disk: HqDiskTruth, records: ReadonlyMap<string, Uint8Array>): void {
  disk.held.clear();
  disk.filed.clear();
  const before = new Map<HqEpoch, Coverage>();
  for (const epochs of disk.agents.values()) {
    for (const state of epochs.values()) {
      before.set(state, state.durable);
      state.stored.clear();
      state.gaps = new Map();
      state.thinned = EMPTY_COVERAGE;
      state.downsampledFrames.clear();
      state.durable = EMPTY_COVERAGE;
      state.acked = 0;
    }
  }
  const all = [...records].map(([text, stored]) => ({
    text,
    key: keyBytes(text),
    value: stored.subarray(0, stored.length - 4),
  }));
  for (const { key, value } of all) if (key[0] === FILED) file(disk, key, value);
  for (const { text, key, value } of all) put(disk, text, key, value);
  for (const [state, durable] of before) {
    for (const [from, to] of subtract(durable, state.durable)) {
      state.undone = cover(state.undone, from, to);
    }
  }
}
