/**
 * Epoch states from the index and the gaps, for when a state is missing or damaged. What the log holds beyond them is
 * not looked at.
 */

import { readHeader } from '../../protocol/frame-codec.ts';
import type { Epoch } from '../../protocol/sample.ts';
import type { Reader } from '../../storage/storage.ts';
import { accountSegments } from './account-segments.ts';
import { account, EMPTY_EPOCH, type EpochState } from './epoch-state.ts';
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
          state = accountSegments(state, { segments: record.segments, isDownsampled: isDownsampled(record) });
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
function isDownsampled({ frame }: FrameRecord): boolean {
  try {
    return readHeader(frame).kind === 'thinned';
  } catch {
    return false;
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
