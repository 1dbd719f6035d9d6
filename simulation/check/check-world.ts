/**
 * What must hold of a world at any moment, and what must hold once all faults have ended and everything has drained.
 */
import { accountSegments } from '../../src/hq/store/account-segments.ts';
import { decodeEpochState, EMPTY_EPOCH, type EpochState } from '../../src/hq/store/epoch-state.ts';
import { parseEntryKey, parseEpochKey, purgeKey } from '../../src/hq/store/keys.ts';
import { decodeLogEntry } from '../../src/hq/store/log-entry.ts';
import {
  type Coverage,
  cover,
  coveredCount,
  EMPTY_COVERAGE,
  missingWithin,
  subtract,
  unite,
} from '../../src/protocol/coverage.ts';
import { keyBytes, keyText } from '../../src/storage/key-text.ts';
import type { SimAgent } from '../world/sim-agent.ts';
import type { AgentTruth } from './agent-truth.ts';
import { bucketsIn } from './bucket-truth.ts';
import type { Content } from './contents.ts';
import type { HqEpoch, HqTruth } from './hq-truth.ts';
import type { Violations } from './violations.ts';

/** An agent, whole or light, and the truth about its disk. */
export type Subject = {
  readonly agent: Pick<SimAgent, 'id' | 'disk' | 'settings'> & {
    readonly running: () => Pick<NonNullable<ReturnType<SimAgent['running']>>, 'journal' | 'uplink'> | null;
  };
  readonly truth: AgentTruth;
};
export type CheckOptions = {
  readonly subjects: readonly Subject[];
  readonly hq: HqTruth;
  readonly hqRecords: () => ReadonlyMap<string, Uint8Array>;
  readonly violations: Violations;
};

/** Of the quota: what the estimate of a record's size may be off. */
const DISK_SHARE = 1.02;
/** A journal's ledger, schemas and dead letters, and what one commit adds before the overflow policy works. */
const DISK_EXTRA_BYTES = 64 * 1024;

/** Nothing that was ever committed has disappeared: it is on its agent's disk, at HQ, or a gap stands for it. */
export function checkAlways({ subjects, hq, violations }: CheckOptions): void {
  for (const { agent, truth } of subjects) {
    const { maxBytes } = agent.settings.config.journal;
    const used = agent.disk.usedBytes();
    if (used > maxBytes * DISK_SHARE + DISK_EXTRA_BYTES)
      violations.report('disk_bound', `${truth.agent}: ${used} bytes on the disk, at most ${maxBytes}`);
    for (const [epoch, { contents, destroyed }] of truth.epochs) {
      let known: Coverage = unite(hq.epoch(truth.idOf(epoch), epoch).ever, destroyed);
      for (const frame of truth.held()) {
        if (frame.epoch === epoch) known = cover(known, frame.first, frame.last);
      }
      const last = lastOf(contents);
      for (const [from, to] of missingWithin(known, 1, last)) {
        // Seqs that a damaged journal skipped were nobody's.
        if (!holdsAny(contents, from, to)) continue;
        violations.report('lost', `${truth.agent}: seqs ${from}–${to} of ${epoch} are nowhere`);
      }
    }
  }
}

/**
 * Every committed seq is at HQ exactly once: unchanged, in a thinned frame that its agent made and whose statistics are
 * those of the samples, or in a counted gap; the ledger says so too.
 */
export function checkDrained({ subjects, hq, hqRecords, violations }: CheckOptions): void {
  for (const { agent, truth } of subjects) {
    for (const [epoch, { contents, delivered, destroyed }] of truth.epochs) {
      const sharers = sharersOf(subjects, truth, epoch);
      const givenUp = sharers.reduce((all, one) => unite(all, goneOf(one, epoch)), EMPTY_COVERAGE);
      const state = hq.epoch(truth.idOf(epoch), epoch);
      const checkSame = (seq: number, { id, print }: Content) => {
        const stored = state.stored.get(seq);
        if (stored !== undefined && (stored.id !== id || stored.print !== print))
          violations.report(
            'wrong_content',
            `${truth.agent}: seq ${seq} of ${epoch} is another sample at HQ`,
          );
      };
      // HQ forgot what it had, or the journal gave it up: what HQ holds is another copy's, or an earlier state's of
      // this one.
      const excused = unite(state.undone, goneOf(truth, epoch));
      const isOfAnother = (seq: number) =>
        (sharers.length > 1 || delivered.has(seq)) && missingWithin(excused, seq, seq).length === 0;
      checkDownsampled({ name: truth.agent, truth, sharers, epoch, hq, violations });
      // What HQ lost of a journal that is gone nobody can tell it.
      const gone = agent.running()?.journal.epoch === epoch ? destroyed : unite(destroyed, state.undone);
      const excuses = (reason: string) => (reason === 'lost_at_hq' ? unite(givenUp, state.undone) : givenUp);
      for (const [reason, gap] of state.gaps) {
        for (const [from, to] of subtract(gap, excuses(reason))) {
          violations.report(
            'false_gap',
            `${truth.agent}: seqs ${from}–${to} of ${epoch} are ${reason} at HQ, and nobody gave them up`,
          );
        }
      }
      for (const [seq, content] of delivered) {
        if (missingWithin(state.undone, seq, seq).length > 0) checkSame(seq, content);
      }
      for (const [seq, content] of contents) {
        // It has moved to another epoch, and is looked for there.
        if (truth.epochOf(content.id) !== epoch) continue;
        const stored = state.stored.get(seq);
        if (stored === undefined) {
          if (missingWithin(unite(state.durable, gone), seq, seq).length > 0)
            violations.report('not_drained', `${truth.agent}: seq ${seq} of ${epoch} is not at HQ`);
        } else if (!isOfAnother(seq)) checkSame(seq, content);
      }
    }
  }
  checkLedgers(hq, hqRecords(), violations);
}

/** Copies of a journal have an epoch in common: what one of them gave up, HQ says of all. */
function sharersOf(subjects: readonly Subject[], of: AgentTruth, epoch: string): readonly AgentTruth[] {
  return subjects
    .map(({ truth }) => truth)
    .filter((truth) => truth.epochs.has(epoch) && truth.idOf(epoch) === of.idOf(epoch));
}

function goneOf({ epochs }: AgentTruth, epoch: string): Coverage {
  const truth = epochs.get(epoch);
  return truth === undefined ? EMPTY_COVERAGE : unite(truth.givenUp, truth.destroyed);
}

type TruthOfDownsampled = Pick<AgentTruth, 'epochs' | 'wrongOf'>;

/** What is thinned at HQ was thinned by the agent, and every bucket that counts says what its samples were. */
export function checkDownsampled(of: {
  readonly name: string;
  readonly truth: TruthOfDownsampled & Pick<AgentTruth, 'idOf'>;
  /** All whose journals have or had this epoch. */
  readonly sharers: readonly TruthOfDownsampled[];
  readonly epoch: string;
  readonly hq: Pick<HqTruth, 'epoch'>;
  readonly violations: Violations;
}): void {
  const { name, truth, sharers, epoch, hq, violations } = of;
  const state = hq.epoch(truth.idOf(epoch), epoch);
  const thinned = sharers.reduce(
    (all, one) => unite(all, one.epochs.get(epoch)?.thinned ?? EMPTY_COVERAGE),
    EMPTY_COVERAGE,
  );
  for (const [from, to] of subtract(state.thinned, thinned)) {
    violations.report('false_gap', `${name}: seqs ${from}–${to} of ${epoch} are thinned at HQ alone`);
  }
  for (const { bytes, segments } of state.downsampledFrames.values()) {
    for (const bucket of bucketsIn(bytes)) {
      if (!segments.some(({ first, last }) => first <= bucket.start && bucket.start <= last)) continue;
      const said = sharers.map((one) => one.wrongOf(epoch, bucket));
      const wrong = said.includes(null) ? null : (said[0] ?? null);
      if (wrong !== null)
        violations.report(
          'wrong_content',
          `${name}: the bucket of seq ${bucket.start} of ${epoch} at HQ says ${wrong}`,
        );
    }
  }
}

/** The states that were saved, and what the log says beyond them, as a start of HQ would read them. */
function ledgersOf(records: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, EpochState | undefined> {
  const ledgers = new Map<string, EpochState | undefined>();
  const of = (kind: string) =>
    [...records]
      .filter(([text]) => text.startsWith(kind))
      .map(([text, stored]) => ({ key: keyBytes(text), value: stored.subarray(0, stored.length - 4) }));
  for (const { key, value } of of('E')) {
    const { agent, epoch } = parseEpochKey(key);
    ledgers.set(`${agent}/${epoch}`, decodeEpochState(value));
  }
  const entries = of('J').sort((one, other) => parseEntryKey(one.key) - parseEntryKey(other.key));
  for (const { key, value } of entries) {
    const entry = decodeLogEntry(value);
    if (entry === undefined) continue;
    const name = `${entry.agent}/${entry.epoch}`;
    const state = ledgers.get(name) ?? EMPTY_EPOCH;
    if (parseEntryKey(key) > state.logTo) {
      const { segments } = entry.record;
      ledgers.set(name, accountSegments(state, { segments, isDownsampled: entry.isDownsampled }));
    }
  }
  return ledgers;
}

/** Counted again from the frames and gaps on HQ's disk. */
function checkLedgers(hq: HqTruth, records: ReadonlyMap<string, Uint8Array>, violations: Violations): void {
  const ledgers = ledgersOf(records);
  for (const [agent, epochs] of hq.agents()) {
    // It was removed for good: its ledger went with it (leaver.ts).
    if (records.has(keyText(purgeKey(agent)))) continue;
    for (const [epoch, truth] of epochs) {
      const ledger = ledgers.get(`${agent}/${epoch}`);
      if (ledger === undefined) {
        if (coveredCount(truth.durable) > 0) violations.report('ledger', `${agent}: none of ${epoch}`);
        continue;
      }
      const wrong = (what: string, says: unknown, is: unknown) =>
        violations.report(
          'ledger',
          `${agent}: ${what} of ${epoch} is ${says} in the ledger and ${is} in truth`,
        );
      if (ledger.stored !== truth.stored.size) wrong('stored', ledger.stored, truth.stored.size);
      checkCounts('dropped', ledger.dropped, countsOf(truth), wrong);
      const thinned = Object.values(ledger.thinned).reduce((sum, count) => sum + count, 0);
      if (thinned !== coveredCount(truth.thinned)) wrong('thinned', thinned, coveredCount(truth.thinned));
      if (!same(ledger.coverage, truth.durable))
        wrong('coverage', JSON.stringify(ledger.coverage), JSON.stringify(truth.durable));
    }
  }
}

function countsOf({ gaps }: HqEpoch): ReadonlyMap<string, number> {
  return new Map([...gaps].map(([reason, gap]) => [reason, coveredCount(gap)]));
}

function checkCounts(
  what: string,
  says: Readonly<Record<string, number>>,
  is: ReadonlyMap<string, number>,
  wrong: (what: string, says: unknown, is: unknown) => void,
): void {
  for (const reason of new Set([...Object.keys(says), ...is.keys()])) {
    const counted = is.get(reason) ?? 0;
    if ((says[reason] ?? 0) !== counted) wrong(`${what}.${reason}`, says[reason] ?? 0, counted);
  }
}

function same(a: Coverage, b: Coverage): boolean {
  const both = unite(a, b);
  return coveredCount(a) === coveredCount(b) && coveredCount(both) === coveredCount(a);
}

function holdsAny(contents: ReadonlyMap<number, unknown>, from: number, to: number): boolean {
  for (const seq of contents.keys()) if (seq >= from && seq <= to) return true;
  return false;
}

/** Highest seq of an epoch that was ever committed. */
export function lastOf(contents: ReadonlyMap<number, unknown>): number {
  let last = 0;
  for (const seq of contents.keys()) if (seq > last) last = seq;
  return last;
}
