/** Epoch states from the records that they summarise, for when a state is missing or damaged. */

import { readHeader } from '../../protocol/frame-codec.ts';
import type { Epoch } from '../../protocol/sample.ts';
import type { Reader } from '../../storage/storage.ts';
import { type Accounting, account, EMPTY_EPOCH, type EpochState, THINNED } from './epoch-state.ts';
import { decodeFrameRecord, type FrameRecord } from './frame-record.ts';
import { decodeGapRecord } from './gap-record.ts';
import { kindRange, parseSeqKey, type SeqKeyParts, seqRange, successor } from './keys.ts';

const PAGE = 64;

/**
 * Undefined when no record of the epoch is there. What retention removed is not counted: only a kept state knows of it.
 */
export function rebuildEpoch(reader: Reader, agent: string, epoch: Epoch): EpochState | undefined {
  let state = EMPTY_EPOCH;
  let found = false;
  for (const kind of ['F', 'G'] as const) {
    let range = seqRange(kind, agent, epoch, 0);
    for (;;) {
      const entries = reader.range({ ...range, limit: PAGE });
      for (const { key, value } of entries) {
        found = true;
        if (kind === 'F') {
          const record = decodeFrameRecord(value);
          if (record === undefined) continue;
          const accounting = accountingOf(record);
          for (const { first, last } of record.segments)
            state = account(state, accounting, first, last).state;
        } else {
          const gap = decodeGapRecord(value);
          if (gap === undefined) continue;
          const accounting = { kind: 'dropped', reason: gap.reason } as const;
          state = account(state, accounting, parseSeqKey(key).seq, gap.lastSeq).state;
        }
      }
      const last = entries.at(-1);
      if (last === undefined || entries.length < PAGE) break;
      range = { ...range, from: successor(last.key) };
    }
  }
  return found ? state : undefined;
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
