/**
 * Epoch states from the index and the gaps, for when a state is missing or damaged. What the log holds beyond them is
 * not looked at.
 */

import { readHeader } from '../../protocol/frame-codec.ts';
import type { Epoch } from '../../protocol/sample.ts';
import { entriesOf } from '../../storage/read-page.ts';
import type { Reader } from '../../storage/storage.ts';
import { type Accounting, type EpochState, THINNED } from './epoch-state.ts';
import { decodeFrameRecord, type FrameRecord } from './frame-record.ts';
import { decodeGapRecord } from './gap-record.ts';
import { kindRange, parseSeqKey, type SeqKeyParts, seqRange } from './keys.ts';
import { addPresent, nothingPresent } from './present.ts';
import { recountEpoch } from './recount-epoch.ts';
import { readRemoved } from './removed-seqs.ts';
import { addRecord } from './scan-frames.ts';

const PAGE = 64;

/** Undefined when no record of the epoch is there. What retention removed counts as far as that was noted. */
export function rebuildEpoch(reader: Reader, agent: string, epoch: Epoch): EpochState | undefined {
  const present = nothingPresent();
  let found = false;
  for (const { value } of entriesOf(reader, seqRange('F', agent, epoch, 0), PAGE)) {
    found = true;
    const record = decodeFrameRecord(value);
    if (record !== undefined) addRecord(present, record, accountingOf(record));
  }
  for (const { key, value } of entriesOf(reader, seqRange('G', agent, epoch, 0), PAGE)) {
    found = true;
    const gap = decodeGapRecord(value);
    if (gap === undefined) continue;
    addPresent(present, { kind: 'dropped', reason: gap.reason }, parseSeqKey(key).seq, gap.lastSeq);
  }
  const removed = readRemoved(reader, agent, epoch);
  if (!found && removed === undefined) return undefined;
  return recountEpoch({ saved: undefined, removed, present }).state;
}

/** A frame whose header is damaged was most likely one of samples. */
function accountingOf({ frame }: FrameRecord): Accounting {
  try {
    return readHeader(frame).kind === 'thinned' ? THINNED : { kind: 'data' };
  } catch {
    return { kind: 'data' };
  }
}

/** Every (agent, epoch) that has frames, at the cost of one seek each. */
export function epochsWithFrames(reader: Reader): { agent: string; epoch: Epoch }[] {
  const found: { agent: string; epoch: Epoch }[] = [];
  let range = kindRange('F');
  for (;;) {
    const key = reader.keys({ ...range, limit: 1 })[0];
    if (key === undefined) return found;
    const { agent, epoch }: SeqKeyParts = parseSeqKey(key);
    found.push({ agent, epoch });
    range = { ...range, from: seqRange('F', agent, epoch, 0).to };
  }
}
