/**
 * Raw samples of a time range, those of which only buckets are left not among them, oldest first by (ts, epoch, seq),
 * page by page.
 */
import { z } from 'zod';
import type { SampleDocument } from '../../protocol/api.ts';
import type { RowNotes, SampleGroup } from '../../protocol/frame.ts';
import { decodeData, readHeader } from '../../protocol/frame-codec.ts';
import { jsonNumber } from '../../protocol/json-number.ts';
import { type Epoch, epochSchema, type InternedSchema } from '../../protocol/sample.ts';
import { seriesKey } from '../../protocol/series-key.ts';
import type { Storage } from '../../storage/storage.ts';
import { isAhead } from './clock-ahead.ts';
import { anomalyDocument, isReadable } from './documents.ts';
import { parseJson } from './epoch-state.ts';
import type { SchemaCatalogue } from './schema-catalogue.ts';
import type { Page, TimeRange } from './store.ts';
import { framesBetween, type LoadedFrame, loadFrame, segmentOf } from './time-index.ts';

export const MAX_SAMPLES_PER_PAGE = 10_000;

type Position = { readonly ts: number; readonly epoch: Epoch; readonly seq: number };
type Row = Position & { readonly arrivalTs: number; readonly group: SampleGroup; readonly row: number };

const cursorSchema = z.tuple([z.number(), epochSchema, z.number()]);
const writeCursor = ({ ts, epoch, seq }: Position): string =>
  Buffer.from(JSON.stringify([ts, epoch, seq])).toString('base64url');

/** The cursor is not one that this store gave out; the fault is the caller's. */
export class CursorError extends Error {
  override readonly name = 'CursorError';
}
function readCursor(cursor: string): Position {
  const parsed = cursorSchema.safeParse(parseJson(Buffer.from(cursor, 'base64url')));
  if (!parsed.success) throw new CursorError('this cursor was not given out by HQ; start again without one');
  const [ts, epoch, seq] = parsed.data;
  return { ts, epoch, seq };
}

function compare(a: Position, b: Position): number {
  return a.ts - b.ts || (a.epoch < b.epoch ? -1 : a.epoch > b.epoch ? 1 : a.seq - b.seq);
}

export type QueryContext = {
  readonly storage: Storage;
  readonly schemas: SchemaCatalogue;
  /** Told of a frame whose payload does not decode; it is left out. */
  readonly onBadFrame: (agent: string, epoch: Epoch, seq: number, error: unknown) => void;
  /** How far a sample may be ahead of HQ's clock before it is marked. */
  readonly maxAheadMs: number;
};

/**
 * Frames come in the order of their tsMin: once `limit` rows are older than the next frame, nothing can come before
 * them.
 */
export function* querySamples(
  context: QueryContext,
  query: { agent: string; limit: number; cursor: string | null } & TimeRange,
): Generator<void, Page<SampleDocument>> {
  const { agent, to } = query;
  const limit = Math.max(1, Math.min(query.limit, MAX_SAMPLES_PER_PAGE));
  const after = query.cursor === null ? null : readCursor(query.cursor);
  const from = Math.max(query.from, after?.ts ?? query.from);
  const loaded = new Set<string>();
  let rows: Row[] = [];
  for (const ref of framesBetween(context.storage, agent, { from, to })) {
    const last = rows[limit];
    if (last !== undefined && last.ts < ref.tsMin) break;
    const frame = context.storage.read((reader) => loadFrame(reader, agent, ref));
    if (frame === undefined) continue;
    // Frames merged since the index page was read are met again under their old names.
    const name = `${frame.epoch}/${frame.seq}`;
    if (loaded.has(name)) continue;
    loaded.add(name);
    let ordered = true;
    for (const row of rowsOf(context, agent, frame)) {
      if (row.ts < from || row.ts >= to || (after !== null && compare(row, after) <= 0)) continue;
      const previous = rows.at(-1);
      ordered &&= previous === undefined || compare(row, previous) > 0;
      rows.push(row);
    }
    if (!ordered) {
      const sorted = rows.sort(compare);
      rows = sorted.filter((row, index) => index === 0 || compare(row, sorted[index - 1] ?? row) !== 0);
    }
    rows.length = Math.min(rows.length, limit + 1);
    yield;
  }
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const items: SampleDocument[] = [];
  const names = new Map<string, readonly string[]>();
  for (const row of page) {
    const { schemaRef } = row.group;
    const schema = context.schemas.get(agent, schemaRef);
    const keys = names.get(schemaRef) ?? schema?.series.map(seriesKey) ?? [];
    names.set(schemaRef, keys);
    try {
      const document = documentOf(row, schema, keys);
      items.push(
        isAhead(row.ts, row.arrivalTs, context.maxAheadMs) ? { ...document, ahead: true } : document,
      );
    } catch (error) {
      context.onBadFrame(agent, row.epoch, row.seq, error);
    }
    if (items.length % 100 === 0) yield;
  }
  return { items, cursor: last !== undefined && rows.length > limit ? writeCursor(last) : null };
}

function* rowsOf(context: QueryContext, agent: string, frame: LoadedFrame): Generator<Row, void> {
  try {
    if (readHeader(frame.frame).kind === 'thinned') return;
    for (const group of decodeData(frame.frame).groups) {
      for (let row = 0; row < group.seqs.length; row += 1) {
        const seq = group.seqs[row] ?? 0;
        const segment = segmentOf(frame, seq);
        if (segment === undefined) continue;
        yield { ts: group.ts[row] ?? 0, epoch: frame.epoch, seq, arrivalTs: segment.arrivalTs, group, row };
      }
    }
  } catch (error) {
    context.onBadFrame(agent, frame.epoch, frame.seq, error);
  }
}

const NO_NOTES: RowNotes = { row: -1, anomalies: [], diagnostics: [] };

function documentOf(row: Row, schema: InternedSchema | undefined, keys: readonly string[]): SampleDocument {
  const { group, ts, epoch, seq, arrivalTs } = row;
  const values: [string, SampleDocument['values'][string]][] = [];
  group.columns.forEach((column, index) => {
    const key = keys[index];
    if (column === null || key === undefined) return;
    if (column.present !== null && column.present[row.row] !== 1) return;
    values.push([key, jsonNumber(column.values[row.row] ?? Number.NaN)]);
  });
  const notes = group.notes.find((one) => one.row === row.row) ?? NO_NOTES;
  return {
    epoch,
    seq,
    ts,
    mono: group.mono[row.row] ?? 0,
    boot: schema?.boot ?? '',
    source: schema?.source ?? '',
    arrivalTs,
    values: Object.fromEntries(values),
    anomalies: notes.anomalies.filter(isReadable).map((anomaly) => anomalyDocument(anomaly, schema)),
    diagnostics: notes.diagnostics.map(({ code, severity, series, detail }) => ({
      code,
      severity,
      series: series === null ? null : (keys[series] ?? null),
      detail,
    })),
  };
}
