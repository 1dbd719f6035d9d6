/** What a frame that is written to an agent's disk says, and whether it says the same as what was there before. */
import { parseFrameKey } from '../../src/journal/keys.ts';
import { cover } from '../../src/protocol/coverage.ts';
import { type AtSeq, bucketsIn } from './bucket-truth.ts';
import { type Content, contentsOf, readHeader } from './contents.ts';
import { type DiskTruth, type EpochTruth, epochIn, type HeldFrame } from './epoch-truth.ts';

const MAX_COMMITS = 256;

/** `removed`: in the same transaction, before it. Null for what is no frame. */
export function putFrame(
  disk: DiskTruth,
  keyText: string,
  key: Uint8Array,
  value: Uint8Array,
  removed: readonly HeldFrame[] = [],
): HeldFrame | null {
  const parsed = parseFrameKey(key);
  if (parsed === null) return null;
  const { epoch } = readHeader(value);
  const frame = { epoch, first: parsed.firstSeq, last: parsed.lastSeq, kind: parsed.kind };
  disk.held.set(keyText, frame);
  const truth = epochIn(disk, epoch);
  if (frame.kind === 'data') learn(disk, truth, frame, value);
  else if (frame.kind === 'thinned')
    learnDownsampled(disk, truth, frame, value, movedFrom(disk, frame, removed));
  else truth.givenUp = cover(truth.givenUp, frame.first, frame.last);
  return frame;
}

/** What a frame held under the epoch before: a renewal moves it whole. */
function movedFrom(disk: DiskTruth, { epoch, first, last }: HeldFrame, removed: readonly HeldFrame[]): AtSeq {
  const old = removed.findLast(
    (one) => one.kind === 'thinned' && one.epoch !== epoch && one.last - one.first === last - first,
  );
  return (seq) => old && epochIn(disk, old.epoch).originals.get(old.first + seq - first);
}

/** Thinned samples are still there, and their statistics are those of the samples that were. */
function learnDownsampled(
  { agent, archive, places, violations }: DiskTruth,
  truth: EpochTruth,
  { epoch, first, last }: HeldFrame,
  value: Uint8Array,
  before: AtSeq,
): void {
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
}

function learn(
  { agent, archive, places, violations, now }: DiskTruth,
  truth: EpochTruth,
  { epoch, first, last }: HeldFrame,
  value: Uint8Array,
): void {
  // Compaction writes each sample several times: it must be the same each time.
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
}
