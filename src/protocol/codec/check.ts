/**
 * Looks at all of a frame once: what passes can be read by everyone, for good.
 *
 * - It throws where decoding every column would, names the place, and makes no arrays of values: a data frame costs in
 *   proportion to its bytes.
 * - It refuses more than decoding does: times that no Date can hold, integers that doubles would round, and anomalies
 *   and diagnostics that say what cannot be. Decoding stays lenient, for frames that were stored before.
 */
import {
  type FrameHeader,
  type GapReason,
  MAX_FRAME_COLUMNS,
  MAX_FRAME_NOTES,
  MAX_SAMPLE_NOTES,
  type RowNotes,
} from '../frame.ts';
import { type Anomaly, type Diagnostic, MAX_DETAIL_BYTES, MAX_TS, type SchemaRef } from '../sample.ts';
import { malformed, placed } from './bytes.ts';
import { type DecodeOptions, decodeData } from './decode.ts';
import { decodeDownsampled } from './downsampled.ts';
import { decodeGap } from './gap.ts';
import { verifyFrame } from './header.ts';

export type CheckedFrame = {
  readonly header: FrameHeader;
  /** Of a gap: none. */
  readonly groups: readonly { readonly schemaRef: SchemaRef; readonly columns: number }[];
  /** Samples or buckets: what `maxFrameSamples` bounds. */
  readonly rows: number;
  /** Of all its rows and columns, absent ones among them. */
  readonly values: number;
  /** In all its rows. */
  readonly anomalies: number;
  readonly diagnostics: number;
  /** Of a gap; else null. */
  readonly reason: GapReason | null;
};

/** Checks every column, up to so many that a frame of a few bytes holds up nobody. */
function checked(): DecodeOptions {
  let columns = 0;
  return {
    columns: (_ref, columnCount) => {
      columns += columnCount;
      if (columns > MAX_FRAME_COLUMNS)
        throw malformed(`columns: more than ${MAX_FRAME_COLUMNS} in all groups`);
      return 'checked';
    },
  };
}

/** Throws FrameError. */
export function checkFrame(bytes: Uint8Array): CheckedFrame {
  const header = verifyFrame(bytes);
  for (const ts of [header.tsMin, header.tsMax]) checkTime('ts', ts);
  const none = { anomalies: 0, diagnostics: 0 };
  if (header.kind === 'gap')
    return { header, groups: [], rows: 0, values: 0, ...none, reason: decodeGap(bytes).reason };
  const data = header.kind === 'thinned' ? null : dataGroups(bytes, header.count);
  const groups = data ?? decodeDownsampled(bytes, checked()).groups;
  return {
    header,
    groups: groups.map(({ schemaRef, columns }) => ({ schemaRef, columns: columns.length })),
    rows: groups.reduce((sum, { seqs }) => sum + seqs.length, 0),
    values: groups.reduce((sum, { seqs, columns }) => sum + seqs.length * columns.length, 0),
    ...(data === null ? none : countNotes(data.flatMap(({ notes }) => notes))),
    reason: null,
  };
}

function countNotes(notes: readonly RowNotes[]) {
  let [anomalies, diagnostics] = [0, 0];
  for (const row of notes) {
    anomalies += row.anomalies.length;
    diagnostics += row.diagnostics.length;
  }
  return { anomalies, diagnostics };
}

function dataGroups(bytes: Uint8Array, samples: number) {
  const maxNotes = samples === 1 ? MAX_SAMPLE_NOTES : MAX_FRAME_NOTES;
  const { groups } = decodeData(bytes, { ...checked(), maxNotes });
  groups.forEach(({ notes, seqs }, index) => {
    for (const note of notes) {
      try {
        checkNote(note);
      } catch (error) {
        throw placed(`group ${index + 1}, seq ${seqs[note.row]}`, error);
      }
    }
  });
  return groups;
}

function checkNote({ anomalies, diagnostics }: RowNotes): void {
  for (const anomaly of anomalies) checkAnomaly(anomaly);
  for (const diagnostic of diagnostics) checkDiagnostic(diagnostic);
}

/** Its z-score, mean and deviation may be NaN: the numbers that they are of can be anything. */
function checkAnomaly({ state, startTs, peakTs, endTs, stddev, judgement }: Anomaly): void {
  checkTime('anomaly: startTs', startTs);
  checkTime('anomaly: peakTs', peakTs);
  if (endTs !== null) checkTime('anomaly: endTs', endTs);
  if ((state === 'closed') !== (endTs !== null))
    throw malformed(`anomaly: ${state} ${endTs === null ? 'without an end' : 'with an end'}`);
  if (stddev < 0) throw malformed(`anomaly: standard deviation ${stddev}`);
  const { threshold = 0 } = judgement ?? {};
  if (threshold < 0) throw malformed(`anomaly: threshold ${threshold}`);
}

function checkDiagnostic({ code, detail }: Diagnostic): void {
  const bytes = Buffer.byteLength(detail);
  if (bytes > MAX_DETAIL_BYTES)
    throw malformed(`diagnostic ${code}: detail of ${bytes} bytes, at most ${MAX_DETAIL_BYTES}`);
}

function checkTime(what: string, ts: number): void {
  if (Number.isInteger(ts) && Math.abs(ts) <= MAX_TS) return;
  throw malformed(`${what}: ${ts} is no whole number of ms within ±8.64e15`);
}
