/**
 * Raw samples of a time range, those of which only buckets are left not among them, oldest first by (ts, epoch, seq),
 * page by page. A page ends at its limit, or at PAGE_BYTES of JSON, whichever comes first.
 */
import { z } from 'zod';
import type { SampleDocument } from '../../protocol/api.ts';
import type { RowNotes } from '../../protocol/frame.ts';
import { decodeData, readHeader } from '../../protocol/frame-codec.ts';
import { type Epoch, epochSchema, type SchemaRef } from '../../protocol/sample.ts';
import { CursorError } from './cursor-error.ts';
import { parseJson } from './epoch-state.ts';
import type { QueryContext } from './query-context.ts';
import { sampleDocuments } from './sample-documents.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';
import type { Page, TimeRange } from './store.ts';
import { framesBetween, type LoadedFrame, loadFrame, nameOfFrame, segmentOf } from './time-index.ts';

export const MAX_SAMPLES_PER_PAGE = 10_000;
/** Roughly, of JSON; a sample that has more is a page of its own. */
export const PAGE_BYTES = 4 * 1024 * 1024;

type Position = { readonly ts: number; readonly epoch: Epoch; readonly seq: number };
/** `bytes`: roughly, of its JSON. */
type Row = Position & { readonly bytes: number };

const cursorSchema = z.tuple([z.number(), epochSchema, z.number()]);
const writeCursor = ({ ts, epoch, seq }: Position): string =>
  Buffer.from(JSON.stringify([ts, epoch, seq])).toString('base64url');

function readCursor(cursor: string): Position {
  const parsed = cursorSchema.safeParse(parseJson(Buffer.from(cursor, 'base64url')));
  if (!parsed.success) throw new CursorError('this cursor was not given out by HQ; start again without one');
  const [ts, epoch, seq] = parsed.data;
  return { ts, epoch, seq };
}

function compare(a: Position, b: Position): number {
  return a.ts - b.ts || (a.epoch < b.epoch ? -1 : a.epoch > b.epoch ? 1 : a.seq - b.seq);
}

/**
 * Frames come in the order of their tsMin: once the rows of a page are older than the next frame, nothing can come
 * before them.
 */
export function* querySamples(
  context: QueryContext,
  query: { agent: string; limit: number; cursor: string | null } & TimeRange,
): Generator<void, Page<SampleDocument>> {
  const { rows, hasMore } = yield* rowsOfPage(context, query);
  const items = yield* sampleDocuments(context, query.agent, rows);
  const last = rows.at(-1);
  return { items, cursor: last !== undefined && hasMore ? writeCursor(last) : null };
}

function* rowsOfPage(
  context: QueryContext,
  query: { agent: string; limit: number; cursor: string | null } & TimeRange,
): Generator<void, { rows: Row[]; hasMore: boolean }> {
  const { agent, to } = query;
  const limit = Math.max(1, Math.min(query.limit, MAX_SAMPLES_PER_PAGE));
  const after = query.cursor === null ? null : readCursor(query.cursor);
  const from = Math.max(query.from, after?.ts ?? query.from);
  const loaded = new Set<string>();
  const bytesOf = rowBytes(context.schemas, agent);
  let rows: Row[] = [];
  /** How many of the rows the page holds, and what they come to. */
  let held = 0;
  let bytes = 0;
  for (const ref of framesBetween(context, agent, { from, to })) {
    if (ref === null) {
      yield;
      continue;
    }
    const next = rows[held];
    if (next !== undefined && next.ts < ref.tsMin) break;
    const frame = loadFrame(context, agent, ref);
    if (frame === undefined) continue;
    // Frames merged since the index page was read are met again under their old names.
    const name = nameOfFrame(frame);
    if (loaded.has(name)) continue;
    loaded.add(name);
    let ordered = true;
    for (const row of rowsOf(context, agent, frame, bytesOf)) {
      if (row.ts < from || row.ts >= to || (after !== null && compare(row, after) <= 0)) continue;
      const previous = rows.at(-1);
      ordered &&= previous === undefined || compare(row, previous) > 0;
      rows.push(row);
    }
    if (!ordered) {
      const sorted = rows.sort(compare);
      rows = sorted.filter((row, index) => index === 0 || compare(row, sorted[index - 1] ?? row) !== 0);
      held = 0;
      bytes = 0;
    }
    for (let row = rows[held]; row !== undefined && held < limit; row = rows[held]) {
      if (held > 0 && bytes + row.bytes > PAGE_BYTES) break;
      bytes += row.bytes;
      held += 1;
    }
    rows.length = Math.min(rows.length, held + 1);
    yield;
  }
  return { rows: rows.slice(0, held), hasMore: rows.length > held };
}

function* rowsOf(
  context: QueryContext,
  agent: string,
  frame: LoadedFrame,
  bytesOf: (ref: SchemaRef, notes: RowNotes | undefined) => number,
): Generator<Row, void> {
  try {
    if (readHeader(frame.frame).kind === 'thinned') return;
    for (const group of decodeData(frame.frame, { columns: () => 'none' }).groups) {
      const notes = new Map(group.notes.map((one) => [one.row, one]));
      for (let row = 0; row < group.seqs.length; row += 1) {
        const seq = group.seqs[row] ?? 0;
        if (segmentOf(frame, seq) === undefined) continue;
        const bytes = bytesOf(group.schemaRef, notes.get(row));
        yield { ts: group.ts[row] ?? 0, epoch: frame.epoch, seq, bytes };
      }
    }
  } catch (error) {
    context.onBadFrame(agent, frame.epoch, frame.seq, error);
  }
}

/** What a sample, a value and a note have in JSON besides the names of their series and their detail. */
const SAMPLE_BYTES = 200;
const VALUE_BYTES = 24;
const NOTE_BYTES = 300;

function rowBytes(schemas: SchemaCatalogue, agent: string) {
  const known = new Map<SchemaRef, { readonly all: number; readonly each: readonly number[] }>();
  return (ref: SchemaRef, notes: RowNotes | undefined): number => {
    let sizes = known.get(ref);
    if (sizes === undefined) {
      const schema = schemas.get(agent, ref);
      const each = schema === undefined ? [] : schemas.keys(schema).map(({ length }) => length);
      sizes = { each, all: each.reduce((sum, length) => sum + length + VALUE_BYTES, SAMPLE_BYTES) };
      known.set(ref, sizes);
    }
    if (notes === undefined) return sizes.all;
    let bytes = sizes.all;
    for (const { series } of notes.anomalies) bytes += NOTE_BYTES + (sizes.each[series] ?? 0);
    for (const { series, detail } of notes.diagnostics)
      bytes += NOTE_BYTES + detail.length + (sizes.each[series ?? -1] ?? 0);
    return bytes;
  };
}
