/**
 * When the samples of a time range arrived. Samples of one lane whose times, and times of arrival, lie no further apart
 * than `gapMs` from the one before are one run. Each sample counts in one run of one page.
 *
 * A page ends before the frame at which it would have more runs than its limit; what earlier frames hold beyond that
 * time is of the next page.
 */
import { z } from 'zod';
import type { Arrival } from '../../protocol/arrival.ts';
import { decodeData, decodeDownsampled, readHeader } from '../../protocol/frame-codec.ts';
import { CursorError } from './cursor-error.ts';
import { parseJson } from './epoch-state.ts';
import { type OwnFrame, ownFrames } from './own-frames.ts';
import type { QueryContext } from './query-context.ts';
import type { ArrivalQuery, Page, TimeRange } from './store.ts';
import { segmentOf } from './time-index.ts';

type OpenRun = { -readonly [Name in keyof Arrival]: Arrival[Name] } & { lastAt: number };

/** What a cursor holds: where the next page begins, and what the first one was asked for. */
const cursorSchema = z.tuple([z.number(), z.number(), z.number().positive()]);

export function* queryArrivals(
  context: QueryContext,
  { agent, limit, cursor, ...query }: ArrivalQuery,
): Generator<void, Page<Arrival>> {
  const { from, to, gapMs } = cursor === null ? query : readCursor(cursor);
  const first = yield* runsOf(context, agent, { from, to, gapMs, limit });
  const { next } = first;
  if (next === null) return { items: first.runs, cursor: null };
  // What was read beyond the end of the page is of the next one.
  const { runs } = yield* runsOf(context, agent, { from, to: next, gapMs, limit: Number.POSITIVE_INFINITY });
  return { items: runs, cursor: Buffer.from(JSON.stringify([next, to, gapMs])).toString('base64url') };
}

function readCursor(cursor: string): TimeRange & { gapMs: number } {
  const parsed = cursorSchema.safeParse(parseJson(Buffer.from(cursor, 'base64url')));
  if (!parsed.success) throw new CursorError('this cursor was not given out by HQ; start again without one');
  const [from, to, gapMs] = parsed.data;
  return { from, to, gapMs };
}

type RunQuery = TimeRange & { readonly gapMs: number; readonly limit: number };

/** `next`: where the page must end; null: it holds all. */
function* runsOf(
  context: QueryContext,
  agent: string,
  { from, to, gapMs, limit }: RunQuery,
): Generator<void, { readonly runs: readonly Arrival[]; readonly next: number | null }> {
  const runs: OpenRun[] = [];
  let next: number | null = null;
  for (const own of ownFrames(context, agent, { from, to })) {
    if (own === null) {
      yield;
      continue;
    }
    const { ref, frame } = own;
    if (runs.length >= limit && ref.tsMin > from) {
      next = ref.tsMin;
      break;
    }
    try {
      for (const row of rowsOf(own)) if (row.ts >= from && row.ts < to) addRow(runs, row, gapMs);
    } catch (error) {
      context.onBadFrame(agent, frame.epoch, frame.seq, error);
    }
  }
  const ordered = runs.sort((one, other) => one.tsMin - other.tsMin || one.at0 - other.at0);
  return { runs: ordered.map(({ lastAt: _, ...run }) => run), next };
}

type ArrivedRow = {
  readonly ts: number;
  /** Time of the last sample that it stands for. */
  readonly end: number;
  readonly at: number;
  readonly count: number;
  readonly lane: Arrival['lane'];
};

function* rowsOf({ frame, ownership }: OwnFrame): Generator<ArrivedRow, void> {
  const owns = ownership();
  const rowOf = (seq: number, ts: number, more: { end: number; count: number }): ArrivedRow | null => {
    const segment = segmentOf(frame, seq);
    if (segment === undefined || owns?.(seq) === false) return null;
    return { ts, at: segment.arrivalTs, lane: frame.lane, ...more };
  };
  if (readHeader(frame.frame).kind === 'thinned') {
    for (const { seqs, ts, spans, sizes } of decodeDownsampled(frame.frame, { columns: () => 'none' }).groups)
      for (let at = 0; at < seqs.length; at += 1) {
        const begin = ts[at] ?? 0;
        const row = rowOf(seqs[at] ?? 0, begin, { end: begin + (spans[at] ?? 0), count: sizes[at] ?? 0 });
        if (row !== null) yield row;
      }
    return;
  }
  for (const { seqs, ts } of decodeData(frame.frame, { columns: () => 'none' }).groups)
    for (let at = 0; at < seqs.length; at += 1) {
      const when = ts[at] ?? 0;
      const row = rowOf(seqs[at] ?? 0, when, { end: when, count: 1 });
      if (row !== null) yield row;
    }
}

/** Runs that a row is compared with, the newest of them. */
const LOOKED_AT = 8;

function addRow(runs: OpenRun[], { ts, end, at, count, lane }: ArrivedRow, gapMs: number): void {
  for (let index = runs.length - 1; index >= Math.max(0, runs.length - LOOKED_AT); index -= 1) {
    const run = runs[index];
    if (run === undefined || run.lane !== lane || Math.abs(at - run.lastAt) > gapMs) continue;
    if (ts > run.tsMax + gapMs || end < run.tsMin - gapMs) continue;
    run.tsMin = Math.min(run.tsMin, ts);
    run.tsMax = Math.max(run.tsMax, end);
    run.at0 = Math.min(run.at0, at);
    run.at1 = Math.max(run.at1, at);
    run.count += count;
    run.lastAt = at;
    return;
  }
  runs.push({ tsMin: ts, tsMax: end, at0: at, at1: at, count, lane, lastAt: at });
}
