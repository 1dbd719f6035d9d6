/** Reads what a store has of an agent, `a1` where none is named. */
import { firstValueFrom } from 'rxjs';
import type { AnomalyDocument, LedgerEntry } from '../../../protocol/api.ts';
import type { Bucket, BucketStatistic } from '../../../protocol/bucket.ts';
import { type Coverage, EMPTY_COVERAGE } from '../../../protocol/coverage.ts';
import type {
  AgentNumbers,
  BucketTable,
  CoverageStore,
  HqStore,
  NumbersOfAgent,
  Page,
  QueryStore,
  TimeRange,
} from '../store.ts';
import { EPOCH, SERIES, START } from './frames.ts';

export const EVER = { from: 0, to: START * 2 };

export async function allSeqs(store: HqStore, limit = 1000): Promise<number[]> {
  const seqs: number[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof readPage>> = await readPage(store, limit, cursor);
    seqs.push(...page.items.map(({ seq }) => seq));
    cursor = page.cursor;
  } while (cursor !== null);
  return seqs;
}
export const readPage = (store: HqStore, limit: number, cursor: string | null) =>
  firstValueFrom(store.samples({ agent: 'a1', limit, cursor, ...EVER }));

export const ledgerOf = (store: QueryStore, agent = 'a1'): Promise<readonly LedgerEntry[]> =>
  firstValueFrom(store.ledger(agent));

/** What the store holds of an epoch of an agent; nothing when it does not know it. */
export async function coverageOf(store: CoverageStore, agent = 'a1', epoch = EPOCH): Promise<Coverage> {
  const known = await firstValueFrom(store.epoch(agent, epoch));
  return known?.coverage ?? EMPTY_COVERAGE;
}

export async function numbersOf(store: AgentNumbers, agent = 'a1'): Promise<NumbersOfAgent> {
  const [numbers] = await firstValueFrom(store.numbers([agent]));
  if (numbers === undefined) throw new Error('each agent that is asked for has numbers');
  return numbers;
}

export const numbers = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** What most tests look at. */
export const PLAIN: ReadonlySet<BucketStatistic> = new Set<BucketStatistic>(['count', 'min', 'max', 'mean']);

/** A row of a table. */
export const rowOf = (table: BucketTable, row = 0, wanted = PLAIN): Bucket[] =>
  Array.from({ length: table.length }, (_, index) => table.bucket(row, index, wanted));

export type OneSeries = TimeRange & {
  readonly stepMs: number;
  readonly agent?: string;
  readonly source?: string;
  readonly series?: string;
};

/** The query for one series: of the test frames, where it is not named. */
export const oneSeries = ({ agent = 'a1', source = 'sim', series = SERIES, ...range }: OneSeries) => ({
  ...range,
  rows: 1,
  percentiles: true,
  series: [{ agent, source, series, row: 0 }],
});

/** Buckets of one series. */
export async function readBuckets(
  store: Pick<QueryStore, 'buckets'>,
  query: OneSeries,
  wanted = PLAIN,
): Promise<Bucket[]> {
  return rowOf(await firstValueFrom(store.buckets(oneSeries(query))), 0, wanted);
}

/** All episodes of the range, by pages of `limit`. */
export async function anomaliesOf(
  store: QueryStore,
  range: { readonly agent: string; readonly from: number; readonly to: number },
  limit = 1_000,
): Promise<readonly AnomalyDocument[]> {
  const all: AnomalyDocument[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<AnomalyDocument> = await firstValueFrom(store.anomalies({ ...range, limit, cursor }));
    all.push(...page.items);
    cursor = page.cursor;
  } while (cursor !== null);
  return all;
}
