/** What a run over a slow link comes to, in the terms that agents are held to. */
import { setTimeout as delay } from 'node:timers/promises';
import { carriedBetween } from '../../tests/support/link.ts';
import { quantile } from '../result.ts';
import type { LinkRow } from './link-rows.ts';
import {
  type LinkRun,
  type Parties,
  prepareStart,
  type RunOptions,
  runLink,
  type Start,
} from './link-run.ts';

/** Eight round trips of the link whose rates change. */
const SETTLED_MS = 5_000;
/** A connection that did not survive an outage may end this long after it. */
const OUTAGE_ENDS_MS = 5_000;

export type LinkFigures = {
  /** Of live samples; NaN when there were none to judge. */
  readonly lagP50Ms: number;
  readonly lagP99Ms: number;
  readonly judgedSamples: number;
  /** The latest of all returns in a row of passes; infinity when none came. */
  readonly firstFreshMs: number;
  readonly linkUsed: number;
  readonly backlogSamples: number;
  /**
   * All that went up from the first frame to the last frame of the backlog, less the live frames with their framing and
   * a header for each packet that they need. Heartbeats and answers of TCP are thus counted for the backlog.
   */
  readonly bytesPerBacklogSample: number;
  /** Connections that ended, but for those that an outage ended. */
  readonly disconnects: number;
  readonly outageDisconnects: number;
  /** Of frames with samples that had been sent before, by their share of them. */
  readonly bytesTwice: number;
  readonly duplicateSamples: number;
};

/** How long the start of a row is waited for before the next one starts. */
const START_MS = 15_000;

/**
 * From here on a row takes a processor, and is held to less than what the start of another one takes of it: it runs by
 * itself.
 */
const FAST_BITS_PER_SECOND = 256_000;

/** Slow rows run at the same time, as they mostly wait; but each starts by itself, since that takes a processor. */
export async function measureRows(
  parties: Parties,
  rows: readonly LinkRow[],
  options: Pick<RunOptions, 'lateMs'> = {},
): Promise<ReadonlyMap<LinkRow, LinkFigures>> {
  const starts = new Map<string, Start>();
  const keyOf = ({ backlog, isSchemaKnown }: LinkRow) => `${backlog} ${isSchemaKnown}`;
  for (const row of rows) {
    if (!starts.has(keyOf(row))) starts.set(keyOf(row), await prepareStart(parties, row));
  }
  const isFast = ({ upBitsPerSecond }: LinkRow) => upBitsPerSecond >= FAST_BITS_PER_SECOND;
  const runs: Promise<readonly [LinkRow, LinkFigures]>[] = [];
  for (const row of [...rows.filter((one) => !isFast(one)), ...rows.filter(isFast)]) {
    if (isFast(row)) await Promise.all(runs);
    const start = starts.get(keyOf(row));
    if (start === undefined) throw new Error('a row without a start');
    const live = Promise.withResolvers<void>();
    const run = runLink(parties, { row, start, onLive: live.resolve, ...options });
    runs.push(run.then((seen) => [row, figuresOf(seen)] as const));
    await Promise.race([live.promise, run, delay(START_MS)]);
  }
  return new Map(await Promise.all(runs));
}

export function figuresOf(run: LinkRun): LinkFigures {
  const { from, to, live } = run;
  const firstStored = Math.min(...live.map(({ takenAt, lagMs }) => takenAt + lagMs));
  const lags = live
    .filter(({ takenAt }) => takenAt >= firstStored && isJudged(run, takenAt))
    .map(({ lagMs }) => lagMs);
  const up = carriedBetween(from.up, to.up);
  const closed = to.closed.filter(({ at }) => at < to.at);
  const byOutage = closed.filter(({ at }) => isOutage(run, at));
  return {
    lagP50Ms: quantile(lags, 0.5),
    lagP99Ms: quantile(lags, 0.99),
    judgedSamples: lags.length,
    firstFreshMs: Math.max(...freshAfter(run)),
    linkUsed: up.wireBytes / up.capacityBytes,
    ...backlogOf(run),
    disconnects: closed.length - byOutage.length,
    outageDisconnects: byOutage.length,
    bytesTwice: Math.round(
      run.marks.reduce(
        (sum, { frame }) => sum + (frame.wireBytes * (frame.count - frame.newSeqs)) / frame.count,
        0,
      ),
    ),
    duplicateSamples: run.duplicateSamples,
  };
}

/** How long a fresh sample took to be stored, from the first connection or from each return on. */
function freshAfter({ row, from, to, live, changes }: LinkRun): number[] {
  const returns = changes.filter(({ isUp, at }) => isUp && at < to.at).map(({ at }) => at);
  const starts = row.passes === undefined ? [from.at] : [from.at, ...returns];
  return starts.map((start, index) => {
    // An agent that was started has no older ones; at a return the last one before it is as fresh.
    const since = index === 0 ? Number.NEGATIVE_INFINITY : start - 1000;
    const stored = live
      .filter(({ takenAt }) => takenAt >= since)
      .map(({ takenAt, lagMs }) => takenAt + lagMs - start)
      .filter((ms) => ms >= 0);
    return Math.min(...stored);
  });
}

function isJudged({ row, from, to, changes }: LinkRun, takenAt: number): boolean {
  const { liveLagMs, firstFreshMs = 0 } = row.aims;
  if (takenAt > to.at) return false;
  const later = changes.find(({ at }) => at > takenAt);
  const before = changes.findLast(({ at }) => at <= takenAt);
  // What is taken shortly before a change meets it on the way.
  if (later !== undefined && later.at - takenAt < liveLagMs + 1000) return false;
  const settled = (before?.at ?? from.at) + (row.passes === undefined ? SETTLED_MS : firstFreshMs);
  return before === undefined || (before.isUp && takenAt >= settled);
}

function isOutage({ row, changes }: LinkRun, at: number): boolean {
  if (row.passes === undefined) return false;
  const before = changes.findLast((change) => change.at <= at);
  return before !== undefined && (!before.isUp || at - before.at < OUTAGE_ENDS_MS);
}

function backlogOf({ marks, to }: LinkRun): Pick<LinkFigures, 'backlogSamples' | 'bytesPerBacklogSample'> {
  const [first, ...others] = marks.filter(({ frame }) => frame.at <= to.at);
  const lastIndex = others.findLastIndex(({ frame }) => !frame.isLive);
  const last = others[lastIndex];
  if (first === undefined || last === undefined)
    return { backlogSamples: 0, bytesPerBacklogSample: Number.NaN };
  const between = others.slice(0, lastIndex + 1).map(({ frame }) => frame);
  const live = between.filter(({ isLive }) => isLive).reduce((sum, { wireBytes }) => sum + wireBytes, 0);
  const backlogSamples = between
    .filter(({ isLive }) => !isLive)
    .reduce((sum, { newSeqs }) => sum + newSeqs, 0);
  return {
    backlogSamples,
    bytesPerBacklogSample: (last.upWireBytes - first.upWireBytes - live) / backlogSamples,
  };
}
