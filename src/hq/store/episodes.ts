/**
 * Anomaly episodes as records of their own: the reports of one episode (open, open with a higher peak, closed) merged
 * by series of a source and start.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type AnomalyDocument, anomalyDocumentSchema } from '../../protocol/api.ts';
import { sourceSeriesKey } from '../../protocol/series-key.ts';
import { LEAST_WRITTEN_TS } from '../../protocol/written-time.ts';
import { readPage } from '../../storage/read-page.ts';
import type { Storage } from '../../storage/storage.ts';
import { CursorError } from './cursor-error.ts';
import { parseJson, toJson } from './epoch-state.ts';
import { agentRange, episodeKey, episodeRange, indexKey, successor } from './keys.ts';
import type { Page, TimeRange } from './store.ts';
import type { Transaction } from './transactions.ts';

/** What the indexer knows of an agent. */
const indexStateSchema = z.object({
  /** Episodes that are kept. */
  anomalies: z.number(),
  /** Longest closed episode: how far before a range one that reaches into it may begin. */
  longestMs: z.number(),
  /** Latest episode by `seriesOf`: only that one can be open still. */
  latest: z.array(z.tuple([z.string(), z.object({ startTs: z.number(), open: z.boolean() })])),
  /** First and last time of the samples of each schema, by its ref. */
  spans: z.array(z.tuple([z.string(), z.tuple([z.number(), z.number()])])),
});
export type IndexState = {
  anomalies: number;
  longestMs: number;
  readonly latest: Map<string, { startTs: number; open: boolean }>;
  readonly spans: Map<string, readonly [first: number, last: number]>;
};

export function encodeIndexState({ anomalies, longestMs, latest, spans }: IndexState): Uint8Array {
  return toJson({ anomalies, longestMs, latest: [...latest], spans: [...spans] });
}
/** What lies beyond `latestTs`, or before the year 0, was noted before HQ left that out. */
export function readIndexState(storage: Storage, agent: string, latestTs: number): IndexState {
  return decodeIndexState(
    storage.read((reader) => reader.get(indexKey(agent))),
    latestTs,
  );
}

export function decodeIndexState(value: Uint8Array | undefined, latestTs: number): IndexState {
  const parsed = indexStateSchema.safeParse(parseJson(value));
  if (!parsed.success) return { anomalies: 0, longestMs: 0, latest: new Map(), spans: new Map() };
  const { anomalies, longestMs, latest, spans } = parsed.data;
  return {
    anomalies,
    longestMs,
    latest: new Map(latest.filter(([, { startTs }]) => startTs <= latestTs)),
    spans: new Map(
      spans
        .filter(([, [first, last]]) => first <= latestTs && last >= LEAST_WRITTEN_TS)
        .map(([ref, [first, last]]) => [
          ref,
          [first >= LEAST_WRITTEN_TS ? first : last, last <= latestTs ? last : first],
        ]),
    ),
  };
}
export function copyIndexState(state: IndexState): IndexState {
  return { ...state, latest: new Map(state.latest), spans: new Map(state.spans) };
}

export function openCount(state: IndexState): number {
  let open = 0;
  for (const latest of state.latest.values()) if (latest.open) open += 1;
  return open;
}

/** As it is stored. */
const storedSchema = anomalyDocumentSchema.extend({
  /** HQ's wall time of the last report, ms. */
  arrivalTs: z.number().optional(),
});

export function decodeEpisode(value: Uint8Array | undefined): AnomalyDocument | undefined {
  const parsed = anomalyDocumentSchema.safeParse(parseJson(value));
  return parsed.success ? parsed.data : undefined;
}

/** Two reports of one episode: a closed one says more than an open one, and the higher peak stands. */
export function mergeReports(a: AnomalyDocument, b: AnomalyDocument): AnomalyDocument {
  const [base, other] = b.state === 'closed' || a.state === 'open' ? [b, a] : [a, b];
  const height = ({ peakZ }: AnomalyDocument) => Math.abs(Number(peakZ));
  if (!(height(other) > height(base))) return base;
  const { peakTs, peakValue, peakZ } = other;
  return { ...base, peakTs, peakValue, peakZ };
}

export type Report = {
  readonly anomaly: AnomalyDocument;
  /** HQ's wall time, ms. */
  readonly arrivalTs: number;
  /** It is dated ahead of HQ's clock, see clock-ahead.ts. */
  readonly isAhead: boolean;
};

/** Notes one report; the same report again changes nothing. */
export function writeReport(
  { writer }: Transaction,
  agent: string,
  state: IndexState,
  { anomaly: report, arrivalTs, isAhead }: Report,
): void {
  const series = seriesOf(report);
  const key = keyOf(agent, report.startTs, series);
  const known = decodeEpisode(writer.get(key));
  const episode = known === undefined ? report : mergeReports(known, report);
  if (known === undefined) state.anomalies += 1;
  writer.put(key, toJson({ ...episode, arrivalTs }));
  if (!isAhead) noteEpisode(state, series, episode);
}

export function noteEpisode(state: IndexState, series: string, episode: AnomalyDocument): void {
  if (episode.endTs !== null) state.longestMs = Math.max(state.longestMs, episode.endTs - episode.startTs);
  const latest = state.latest.get(series);
  if (latest === undefined || latest.startTs <= episode.startTs) {
    state.latest.set(series, { startTs: episode.startTs, open: episode.state === 'open' });
  }
}

/** Removes episodes of the agent, whatever their state. */
export function removeEpisodes(
  { writer }: Transaction,
  agentState: IndexState,
  keys: readonly Uint8Array[],
): void {
  for (const key of keys) {
    const episode = decodeEpisode(writer.get(key));
    if (episode !== undefined) {
      const series = seriesOf(episode);
      if (agentState.latest.get(series)?.startTs === episode.startTs) agentState.latest.delete(series);
    }
    writer.remove(key);
    agentState.anomalies = Math.max(0, agentState.anomalies - 1);
  }
}

/** Whether it may still go on: the last of its series, and not closed. */
export function isStillOpen(state: IndexState, value: Uint8Array): boolean {
  const episode = decodeEpisode(value);
  if (episode === undefined || episode.state !== 'open') return false;
  const latest = state.latest.get(seriesOf(episode));
  return latest?.open === true && latest.startTs === episode.startTs;
}

/**
 * When the last report of the episode arrived, HQ's wall time; of one from before that was noted, when it was over. Ms;
 * null for one that cannot be read.
 */
export function arrivalOfEpisode(value: Uint8Array): number | null {
  const parsed = storedSchema.safeParse(parseJson(value));
  if (!parsed.success) return null;
  const { arrivalTs, endTs, startTs } = parsed.data;
  return arrivalTs ?? endTs ?? startTs;
}

const PAGE = 1000;
/** Start and hash of an episode, which name it within its agent. */
const NAME_BYTES = 16;
export const MAX_EPISODES_PER_PAGE = 1_000;

/**
 * Episodes that overlap the range, by start. An episode left open counts as open until now only when it is the latest
 * of its series.
 */
export function* queryEpisodes(
  storage: Storage,
  state: IndexState,
  query: { agent: string; limit: number; cursor: string | null } & TimeRange,
): Generator<void, Page<AnomalyDocument>> {
  const { agent, from, to, cursor } = query;
  const limit = Math.max(1, Math.min(query.limit, MAX_EPISODES_PER_PAGE));
  const begin = from - state.longestMs;
  const after = cursor === null ? null : afterCursor(agent, cursor);
  const found: { readonly key: Uint8Array; readonly episode: AnomalyDocument }[] = [];
  for (const key of openBefore(state, agent, Math.min(begin, to))) {
    if (after !== null && Buffer.compare(key, after) < 0) continue;
    const episode = decodeEpisode(storage.read((reader) => reader.get(key)));
    if (episode?.state === 'open') found.push({ key, episode });
    if (found.length > limit) break;
    if (found.length % PAGE === 0) yield;
  }
  let range = episodeRange(agent, begin, to);
  if (after !== null && Buffer.compare(after, range.from) > 0) range = { ...range, from: after };
  while (found.length <= limit) {
    const { entries, next } = storage.read((reader) => readPage(reader, { ...range, limit: PAGE }));
    for (const { key, value } of entries) {
      const episode = decodeEpisode(value);
      if (episode === undefined) continue;
      const latest = state.latest.get(seriesOf(episode));
      const isOpen = episode.endTs === null && latest?.startTs === episode.startTs;
      if (isOpen || (episode.endTs ?? episode.startTs) >= from) found.push({ key, episode });
    }
    if (next === null) break;
    range = { ...range, from: next };
    yield;
  }
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return {
    items: items.map(({ episode }) => episode),
    cursor: last === undefined || found.length <= limit ? null : cursorOf(last.key),
  };
}

/** Keys of the episodes that began before `ts` and are open still, in their order. */
function openBefore(state: IndexState, agent: string, ts: number): readonly Uint8Array[] {
  const keys: Uint8Array[] = [];
  for (const [series, { startTs, open }] of state.latest) {
    if (open && startTs < ts) keys.push(keyOf(agent, startTs, series));
  }
  return keys.sort(Buffer.compare);
}

const keyOf = (agent: string, startTs: number, series: string): Uint8Array =>
  episodeKey(agent, startTs, createHash('sha256').update(series).digest());

const cursorOf = (key: Uint8Array): string =>
  Buffer.from(key.subarray(key.length - NAME_BYTES)).toString('base64url');

/** The first key behind the one that the cursor names. */
function afterCursor(agent: string, cursor: string): Uint8Array {
  const name = Buffer.from(cursor, 'base64url');
  if (name.length !== NAME_BYTES)
    throw new CursorError('this cursor was not given out by HQ; start again without one');
  const prefix = agentRange('N', agent).from;
  return successor(Buffer.concat([prefix, name]));
}

/** Tells series apart that two sources have under one key. */
export function seriesOf({ source, series }: AnomalyDocument): string {
  return source === undefined ? series : sourceSeriesKey(source, series);
}

/** Widens the times of a schema. */
export function widen(
  spans: Map<string, readonly [number, number]>,
  ref: string,
  [first, last]: readonly [number, number],
): void {
  const known = spans.get(ref);
  spans.set(ref, known === undefined ? [first, last] : [Math.min(known[0], first), Math.max(known[1], last)]);
}
