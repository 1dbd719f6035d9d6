/**
 * Writes down what the graph of ingest shows: points of the last ten minutes, and when chaos was at work.
 *
 * Bounds: SLOTS records of a minute each, that are written over in turn, and one of MAX_SPANS spans of chaos. A minute
 * is written at its end, and each SAVE_EVERY seconds while something comes: a crash costs no more, an orderly end none.
 */
import type { Chaos, ChaosSpan, IngestPoint } from '../../protocol/api.ts';
import { extendSpans } from '../../protocol/chaos-spans.ts';
import type { HistoryRecord } from '../store/ingest-history.ts';
import type { IngestHistoryStore } from '../store/store.ts';
import { createRecordKeeper } from './record-keeper.ts';

export type HistoryKeeper = {
  readonly second: (point: IngestPoint) => void;
  readonly chaos: (chaos: Chaos) => void;
  readonly spans: () => ChaosSpan[];
  readonly retry: () => void;
  /** Writes what is not written yet. */
  readonly flush: () => void;
};

type History = { readonly points: readonly IngestPoint[]; readonly spans: readonly ChaosSpan[] };

const MINUTE_MS = 60_000;
/** How far back points and spans are kept, ms. */
export const KEPT_MS = 10 * MINUTE_MS;
/** One more than the minutes that are kept: the oldest and the newest are parts. */
const SLOTS = KEPT_MS / MINUTE_MS + 1;
const SAVE_EVERY = 10;
const CHAOS = 'chaos';

/** What records that were found at the start say of the time before `now`; what they date later is left out. */
export function historyOf(records: ReadonlyMap<string, HistoryRecord>, now: number): History {
  const isRecent = (ts: number) => ts > now - KEPT_MS && ts <= now;
  const points = [...records.values()]
    .flatMap((record) => record.points)
    .map(([t, samples, bytes]) => ({ t, samples, bytes }))
    .filter(({ t }) => isRecent(t))
    .sort((a, b) => a.t - b.t);
  const last = points.at(-1)?.t ?? now;
  // One that was in force when HQ ended was so until then.
  const spans = (records.get(CHAOS)?.spans ?? [])
    .map((span) => ({ ...span, to: span.to ?? Math.max(span.from, last) }))
    .filter(({ from, to }) => from <= now && isRecent(to));
  return { points, spans };
}

export function createHistoryKeeper(
  save: IngestHistoryStore['saveIngestHistory'],
  before: History,
): HistoryKeeper {
  const records = createRecordKeeper(save);
  const minuteOf = ({ t }: IngestPoint) => Math.floor(t / MINUTE_MS);
  const [last] = before.points.slice(-1);
  let minute = last === undefined ? Number.NaN : minuteOf(last);
  // The record of a minute in which HQ started again keeps what it had.
  let points = before.points.filter((point) => minuteOf(point) === minute);
  /** Points that no record has. */
  let unsaved = 0;
  let isBusy = false;
  let spans = before.spans;
  let lastChaos: Chaos | null = null;

  const put = () => {
    if (unsaved === 0) return;
    const tuples = points.map(({ t, samples, bytes }): [number, number, number] => [t, samples, bytes]);
    records.put(String(minute % SLOTS), { points: tuples, spans: [] });
    unsaved = 0;
    isBusy = false;
  };
  return {
    second: (point) => {
      if (minuteOf(point) !== minute) {
        // Of a quiet minute too: else it would look as if HQ had been away.
        put();
        minute = minuteOf(point);
        points = [];
        unsaved = 0;
        isBusy = false;
      }
      points.push(point);
      unsaved += 1;
      isBusy ||= point.bytes > 0;
      if (isBusy && unsaved >= SAVE_EVERY) put();
    },
    chaos: (chaos) => {
      const next = extendSpans(spans, lastChaos, chaos);
      lastChaos = chaos;
      if (next === spans) return;
      const isNews = next.length > 0;
      spans = next.filter(({ to }) => to === null || to > chaos.since - KEPT_MS);
      if (isNews) records.put(CHAOS, { points: [], spans: [...spans] });
    },
    spans: () => [...spans],
    retry: records.retry,
    flush: put,
  };
}
