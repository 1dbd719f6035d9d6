/** The side table of anomalies and diagnostics: rows without any cost nothing. */
import { type Anomaly, DETECTION_METHODS } from '../anomaly.ts';
import { FrameError, type RowNotes } from '../frame.ts';
import { DIAGNOSTIC_CODES, type Diagnostic, SEVERITIES } from '../sample.ts';
import { type ByteReader, type ByteWriter, malformed } from './bytes.ts';
import { putNumber, readNumber } from './number.ts';

const CLOSED = 1;
const ENDED = 2;
/** Method and threshold follow: version 2 of the notes, which not every HQ reads. */
const JUDGED = 4;
export type NotesBudget = { left: number };

const utf8 = new TextEncoder();
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Appends the notes of one group; `rows` and `columnCount` bound what they may name. */
export function putNotes(
  writer: ByteWriter,
  notes: readonly RowNotes[],
  rows: number,
  columnCount: number,
): void {
  writer.varint(notes.length);
  let next = 0;
  for (const { row, anomalies, diagnostics } of notes) {
    if (!Number.isInteger(row) || row < next || row >= rows) throw malformed(`notes: row ${row}`);
    writer.varint(row - next);
    next = row + 1;
    writer.varint(anomalies.length);
    writer.varint(diagnostics.length);
    for (const anomaly of anomalies) putAnomaly(writer, anomaly, columnCount);
    for (const diagnostic of diagnostics) putDiagnostic(writer, diagnostic, columnCount);
  }
}

function putAnomaly(writer: ByteWriter, anomaly: Anomaly, columnCount: number): void {
  checkSeries(anomaly.series, columnCount);
  writer.varint(anomaly.series);
  const { judgement } = anomaly;
  writer.u8(
    (anomaly.state === 'closed' ? CLOSED : 0) |
      (anomaly.endTs === null ? 0 : ENDED) |
      (judgement === undefined ? 0 : JUDGED),
  );
  putNumber(writer, anomaly.startTs);
  putNumber(writer, anomaly.peakTs);
  putNumber(writer, anomaly.peakValue);
  putNumber(writer, anomaly.peakZ);
  putNumber(writer, anomaly.mean);
  putNumber(writer, anomaly.stddev);
  if (anomaly.endTs !== null) putNumber(writer, anomaly.endTs);
  if (judgement === undefined) return;
  writer.u8(DETECTION_METHODS.indexOf(judgement.method));
  putNumber(writer, judgement.threshold);
}

function putDiagnostic(writer: ByteWriter, diagnostic: Diagnostic, columnCount: number): void {
  if (diagnostic.series !== null) checkSeries(diagnostic.series, columnCount);
  writer.u8(DIAGNOSTIC_CODES.indexOf(diagnostic.code));
  writer.u8(SEVERITIES.indexOf(diagnostic.severity));
  writer.varint(diagnostic.series === null ? 0 : diagnostic.series + 1);
  const detail = utf8.encode(diagnostic.detail);
  writer.varint(detail.length);
  writer.raw(detail);
}

function checkSeries(series: number, columnCount: number): void {
  if (!Number.isInteger(series) || series < 0 || series >= columnCount) {
    throw malformed(`notes: series ${series} of ${columnCount}`);
  }
}

/** `budget`: how many notes may follow; they are taken off it. */
export function readNotes(
  reader: ByteReader,
  rows: number,
  columnCount: number,
  budget: NotesBudget = { left: Number.POSITIVE_INFINITY },
): RowNotes[] {
  const length = reader.varint('notes');
  if (length > rows) throw malformed(`notes: ${length} rows of ${rows}`);
  const notes: RowNotes[] = [];
  let next = 0;
  for (let index = 0; index < length; index += 1) {
    const row = next + reader.varint('notes');
    if (row >= rows) throw malformed(`notes: row ${row} of ${rows}`);
    next = row + 1;
    const anomalyCount = reader.varint('notes');
    const diagnosticCount = reader.varint('notes');
    // Each takes more bytes than one, so the loops below end at the latest with the bytes.
    if (anomalyCount + diagnosticCount === 0) throw malformed(`notes: none in row ${row}`);
    budget.left -= anomalyCount + diagnosticCount;
    // More than there are bytes for do not decode: that is said below.
    if (budget.left < 0 && anomalyCount + diagnosticCount <= reader.remaining)
      throw new FrameError('too_many_notes', 'notes: more anomalies and diagnostics than a frame may have');
    const anomalies: Anomaly[] = [];
    for (let count = 0; count < anomalyCount; count += 1) anomalies.push(readAnomaly(reader, columnCount));
    const diagnostics: Diagnostic[] = [];
    for (let count = 0; count < diagnosticCount; count += 1) {
      diagnostics.push(readDiagnostic(reader, columnCount));
    }
    notes.push({ row, anomalies, diagnostics });
  }
  return notes;
}

function readAnomaly(reader: ByteReader, columnCount: number): Anomaly {
  const series = reader.varint('anomaly');
  checkSeries(series, columnCount);
  const flags = reader.u8('anomaly');
  if (flags > (CLOSED | ENDED | JUDGED)) throw malformed(`anomaly: flags ${flags}`);
  return {
    series,
    state: (flags & CLOSED) !== 0 ? 'closed' : 'open',
    startTs: readNumber(reader, 'anomaly'),
    peakTs: readNumber(reader, 'anomaly'),
    peakValue: readNumber(reader, 'anomaly'),
    peakZ: readNumber(reader, 'anomaly'),
    mean: readNumber(reader, 'anomaly'),
    stddev: readNumber(reader, 'anomaly'),
    endTs: (flags & ENDED) !== 0 ? readNumber(reader, 'anomaly') : null,
    ...((flags & JUDGED) !== 0 && { judgement: readJudgement(reader) }),
  };
}

function readJudgement(reader: ByteReader): NonNullable<Anomaly['judgement']> {
  const code = reader.u8('anomaly');
  const method = DETECTION_METHODS[code];
  if (method === undefined) throw malformed(`anomaly: method ${code}`);
  return { method, threshold: readNumber(reader, 'anomaly') };
}

function readDiagnostic(reader: ByteReader, columnCount: number): Diagnostic {
  const code = DIAGNOSTIC_CODES[reader.u8('diagnostic')];
  const severity = SEVERITIES[reader.u8('diagnostic')];
  if (code === undefined || severity === undefined) throw malformed('diagnostic: unknown code or severity');
  const series = reader.varint('diagnostic');
  if (series > columnCount) throw malformed(`diagnostic: series ${series - 1} of ${columnCount}`);
  const length = reader.varint('diagnostic');
  const start = reader.skip(length, 'diagnostic');
  let detail: string;
  try {
    detail = strictUtf8.decode(reader.bytes.subarray(start, start + length));
  } catch (cause) {
    throw malformed('diagnostic: detail is not UTF-8', { cause });
  }
  return { code, severity, series: series === 0 ? null : series - 1, detail };
}
