/**
 * The rows of a page as documents. A frame of a few bytes may stand for millions of values: its columns are decoded
 * some at a time, and what the page does not show is let go at once.
 */

import type { SampleDocument } from '../../protocol/api.ts';
import type { RowNotes, SampleGroup } from '../../protocol/frame.ts';
import { decodeData } from '../../protocol/frame-codec.ts';
import { jsonNumber } from '../../protocol/json-number.ts';
import { type Epoch, type InternedSchema, MAX_SERIES_PER_SCHEMA } from '../../protocol/sample.ts';
import { isAhead } from './clock-ahead.ts';
import { anomalyDocument, isReadable } from './documents.ts';
import type { QueryContext } from './query-context.ts';
import { type LoadedFrame, loadFrame, nameOfFrame, segmentOf } from './time-index.ts';

/** Values that are decoded at a stretch, and put into a document between two yields. */
const VALUES_AT_ONCE = 128 * 1024;
const VALUES_A_STEP = 2_048;

/** Names a sample within its agent. */
export type RowName = { readonly epoch: Epoch; readonly seq: number };

type Draft = Omit<SampleDocument, 'values'> & {
  readonly values: [string, SampleDocument['values'][string]][];
};

/** In the order of `rows`; those that cannot be read any more are left out. */
export function* sampleDocuments(
  context: QueryContext,
  agent: string,
  rows: readonly RowName[],
): Generator<void, SampleDocument[]> {
  const drafts = new Map<string, Draft>();
  const wanted = new Set(rows.map(nameOf));
  const tried = new Set<string>();
  for (const row of rows) {
    if (drafts.has(nameOf(row))) continue;
    // By the row: its frame may have been merged since.
    const frame = loadFrame(context, agent, row);
    if (frame === undefined || tried.has(nameOfFrame(frame))) continue;
    tried.add(nameOfFrame(frame));
    try {
      yield* readFrame(context, agent, { frame, wanted, drafts });
    } catch (error) {
      context.onBadFrame(agent, frame.epoch, frame.seq, error);
    }
    yield;
  }
  const documents: SampleDocument[] = [];
  for (const row of rows) {
    const draft = drafts.get(nameOf(row));
    if (draft === undefined) continue;
    documents.push({ ...draft, values: Object.fromEntries(draft.values) });
    if (draft.values.length >= VALUES_A_STEP || documents.length % 100 === 0) yield;
  }
  return documents;
}

const nameOf = ({ epoch, seq }: RowName): string => `${epoch}/${seq}`;

type FrameRead = {
  readonly frame: LoadedFrame;
  readonly wanted: ReadonlySet<string>;
  readonly drafts: Map<string, Draft>;
};

/** Adds the drafts of all rows that the page wants of the frame, or none when it throws. */
function* readFrame(context: QueryContext, agent: string, read: FrameRead): Generator<void, void> {
  const { frame, wanted, drafts } = read;
  const shapes = decodeData(frame.frame, { columns: () => 'none' }).groups;
  const { rows, columns, stride } = planOf(shapes, (seq) => wanted.has(nameOf({ epoch: frame.epoch, seq })));
  yield;
  const own = new Map<string, Draft>();
  for (let first = 0; first < Math.max(1, columns); first += stride) {
    let at = 0;
    const { groups } = decodeData(frame.frame, {
      columns: (_ref, columnCount) => {
        const isShown = (rows[at] ?? []).length > 0;
        at += 1;
        return isShown ? between(first, Math.min(first + stride, columnCount)) : 'none';
      },
    });
    for (const [index, group] of groups.entries()) {
      const shown = rows[index] ?? [];
      if (shown.length === 0) continue;
      const schema = context.schemas.get(agent, group.schemaRef);
      const names = schema === undefined ? [] : context.schemas.keys(schema);
      const notes = first === 0 ? new Map(group.notes.map((one) => [one.row, one])) : null;
      for (const row of shown) {
        const name = nameOf({ epoch: frame.epoch, seq: group.seqs[row] ?? 0 });
        if (notes !== null) {
          const draft = draftOf(context, { frame, group, row, schema, names, notes: notes.get(row) });
          if (draft !== null) own.set(name, draft);
        }
        addValues(own.get(name), { group, row, names, first, stride });
      }
    }
    yield;
  }
  for (const [name, draft] of own) drafts.set(name, draft);
}

/**
 * Which rows of each group to show, how many columns there are, and how many of them to decode at a stretch. Groups of
 * one row hold no more than they show.
 */
function planOf(groups: readonly SampleGroup[], isWanted: (seq: number) => boolean) {
  let columns = 0;
  let atOnce = 0;
  const rows = groups.map(({ seqs, columns: { length } }) => {
    const shown: number[] = [];
    for (let row = 0; row < seqs.length; row += 1) if (isWanted(seqs[row] ?? 0)) shown.push(row);
    if (shown.length > 0) columns = Math.max(columns, length);
    if (shown.length > 0 && seqs.length > 1) atOnce += seqs.length;
    return shown;
  });
  const stride = atOnce === 0 ? MAX_SERIES_PER_SCHEMA : Math.max(1, Math.floor(VALUES_AT_ONCE / atOnce));
  return { rows, columns, stride };
}

const between = (first: number, end: number): number[] =>
  Array.from({ length: Math.max(0, end - first) }, (_, at) => first + at);

const NO_NOTES: RowNotes = { row: -1, anomalies: [], diagnostics: [] };

type DraftSource = {
  readonly frame: LoadedFrame;
  readonly group: SampleGroup;
  readonly row: number;
  readonly schema: InternedSchema | undefined;
  readonly names: readonly string[];
  readonly notes: RowNotes | undefined;
};

/** Without its values; null when the row belongs to another record. */
function draftOf(
  context: QueryContext,
  { frame, group, row, schema, names, notes = NO_NOTES }: DraftSource,
): Draft | null {
  const seq = group.seqs[row] ?? 0;
  const ts = group.ts[row] ?? 0;
  const segment = segmentOf(frame, seq);
  if (segment === undefined) return null;
  const { arrivalTs } = segment;
  return {
    epoch: frame.epoch,
    seq,
    ts,
    mono: group.mono[row] ?? 0,
    boot: schema?.boot ?? '',
    source: schema?.source ?? '',
    arrivalTs,
    values: [],
    anomalies: notes.anomalies.filter(isReadable).map((anomaly) => anomalyDocument(anomaly, schema)),
    diagnostics: notes.diagnostics.map(({ code, severity, series, detail }) => ({
      code,
      severity,
      series: series === null ? null : (names[series] ?? null),
      detail,
    })),
    ...(isAhead(ts, arrivalTs, context.maxAheadMs) && { ahead: true }),
  };
}

type ValueSource = Pick<DraftSource, 'group' | 'row' | 'names'> & {
  readonly first: number;
  readonly stride: number;
};

function addValues(draft: Draft | undefined, { group, row, names, first, stride }: ValueSource): void {
  if (draft === undefined) return;
  const end = Math.min(first + stride, group.columns.length);
  for (let index = first; index < end; index += 1) {
    const column = group.columns[index];
    const key = names[index];
    if (column === null || column === undefined || key === undefined) continue;
    if (column.present !== null && column.present[row] !== 1) continue;
    draft.values.push([key, jsonNumber(column.values[row] ?? Number.NaN)]);
  }
}
