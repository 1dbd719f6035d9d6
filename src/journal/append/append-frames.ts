/** Appending within one transaction: seqs, frames, and what gives way when the quota is reached. */
import { type FrameHeader, MAX_FRAME_BYTES, MAX_FRAME_SAMPLES } from '../../protocol/frame.ts';
import { encodeSamples, readHeader, splitFrame } from '../../protocol/frame-codec.ts';
import { MAX_SEQ } from '../../protocol/sample.ts';
import { rowCount, type SampleRows, sliceRows, totalRows } from '../../protocol/sample-block.ts';
import type { Writer } from '../../storage/storage.ts';
import { type JournalEditor, listFrames } from '../editor.ts';
import { type FrameKey, frameFootprint, frameKey, positionKey, schemaKey } from '../keys.ts';
import type { Appended, OverflowPolicy, StoredFrame } from '../port.ts';

/** Thrown within the transaction under policy `block`: nothing was written, try again when there is room. */
export class NoRoom extends Error {
  override readonly name = 'NoRoom';
}

export type AppendRequest = {
  readonly samples: readonly SampleRows[];
  readonly policy: OverflowPolicy;
  /** Bytes that frames may occupy. */
  readonly limitBytes: number;
};

export type AppendResult = { readonly appended: readonly Appended[]; readonly overflowed: boolean };

export function appendSamples(writer: Writer, editor: JournalEditor, request: AppendRequest): AppendResult {
  const appended: Appended[] = [];
  // What is larger than the whole quota would wait for ever, also when it takes several frames.
  const mayBlock = request.policy === 'block' && editor.ledger.frames > 0;
  let overflowed = false;
  for (const frame of encodeFrames(editor, request.samples)) {
    const room = makeRoom(writer, editor, frame, { ...request, mayBlock });
    overflowed ||= room !== 'free';
    appended.push(room === 'none' ? addDropped(writer, editor, frame) : addCommitted(editor, frame));
  }
  for (const schema of new Set(request.samples.map((sample) => sample.schema))) {
    const key = schemaKey(schema.ref);
    const { source, boot, series } = schema;
    if (writer.get(key) === undefined) writer.put(key, Buffer.from(JSON.stringify({ source, boot, series })));
  }
  putPositions(writer, request.samples);
  return { appended, overflowed };
}

/** Of each source the last: in the transaction that stores its samples, so that neither is there without the other. */
function putPositions(writer: Writer, samples: readonly SampleRows[]): void {
  const latest = new Map<string, string>();
  for (const rows of samples) {
    if (rows.position !== undefined) latest.set(rows.schema.source, rows.position(rowCount(rows)));
  }
  for (const [source, position] of latest) writer.put(positionKey(source), Buffer.from(position));
}

type NewFrame = { readonly bytes: Uint8Array; readonly header: FrameHeader; readonly notable: boolean };

/** One frame for all but the largest appends. */
function encodeFrames(editor: JournalEditor, samples: readonly SampleRows[]): NewFrame[] {
  const { epoch, sampled } = editor.ledger;
  const frames: NewFrame[] = [];
  const total = totalRows(samples);
  for (let start = 0; start < total; start += MAX_FRAME_SAMPLES) {
    const part = total <= MAX_FRAME_SAMPLES ? samples : sliceRows(samples, start, start + MAX_FRAME_SAMPLES);
    const whole = encodeSamples({ epoch, firstSeq: sampled + start + 1, samples: part });
    const pieces =
      whole.length <= MAX_FRAME_BYTES
        ? [whole]
        : splitFrame(whole, { maxBytes: MAX_FRAME_BYTES, maxSamples: MAX_FRAME_SAMPLES });
    for (const bytes of pieces) {
      const header = readHeader(bytes);
      const from = header.firstSeq - sampled - 1;
      const notable = sliceRows(samples, from, from + header.count).some(isNotable);
      frames.push({ bytes, header, notable });
    }
  }
  return frames;
}

function isNotable(rows: SampleRows): boolean {
  if ('columns' in rows) return rows.notes.length > 0;
  return rows.anomalies.length > 0 || rows.diagnostics.length > 0;
}

type Room = 'free' | 'made' | 'none';

function makeRoom(
  writer: Writer,
  editor: JournalEditor,
  { bytes, notable }: NewFrame,
  { policy, limitBytes, mayBlock }: AppendRequest & { readonly mayBlock: boolean },
): Room {
  const needed = frameFootprint({ size: bytes.length, notable });
  const fits = () => editor.ledger.footprint + needed <= limitBytes;
  if (fits()) return 'free';
  if (policy === 'block' && !mayBlock) return 'free';
  if (policy === 'block') throw new NoRoom();
  if (policy === 'drop-newest') return 'none';
  // Under `thin` this is the last resort: samples that come faster than thinning makes room.
  dropOldest(writer, editor, limitBytes - needed);
  return fits() ? 'made' : 'none';
}

/** Gives up the oldest samples until frames occupy no more than `bytes`. */
export function dropOldest(writer: Writer, editor: JournalEditor, bytes: number): void {
  while (editor.ledger.footprint > bytes) {
    const oldest = oldestData(writer, editor);
    if (oldest === undefined) return;
    editor.drop(oldest, 'overflow_oldest');
  }
}

const SCAN_CHUNK = 16;

function oldestData(writer: Writer, editor: JournalEditor): FrameKey | undefined {
  for (let first = editor.ledger.oldest?.seq ?? 0; ; ) {
    const frames = listFrames(writer, { first, last: MAX_SEQ, limit: SCAN_CHUNK });
    const found = frames.find(({ kind }) => kind !== 'gap');
    const last = frames.at(-1);
    if (found !== undefined || last === undefined || frames.length < SCAN_CHUNK) return found;
    first = last.firstSeq + 1;
  }
}

function addCommitted(editor: JournalEditor, { bytes, header, notable }: NewFrame): Appended {
  const key = editor.addFrame(bytes, header, notable);
  editor.count({ sampled: key.lastSeq });
  editor.countPending('data', header.count);
  return { kind: 'committed', frame: storedFrame(key, header, bytes) };
}

function addDropped(writer: Writer, editor: JournalEditor, { header }: NewFrame): Appended {
  const { firstSeq, count, tsMin, tsMax } = header;
  editor.count({ sampled: firstSeq + count - 1 });
  editor.countDropped('overflow_newest', count);
  const key = editor.addGap([firstSeq, firstSeq + count - 1], 'overflow_newest', { tsMin, tsMax });
  const bytes = writer.get(frameKey(key)) ?? new Uint8Array(0);
  return { kind: 'dropped', frame: storedFrame(key, readHeader(bytes), bytes) };
}

export function storedFrame(key: FrameKey, { tsMin, tsMax }: FrameHeader, bytes: Uint8Array): StoredFrame {
  const { firstSeq, lastSeq, kind, notable } = key;
  return { firstSeq, lastSeq, kind, notable, tsMin, tsMax, bytes };
}
