/** Buckets as JSON and as CSV, bucket by bucket. */
import type { BucketStatistic } from '../../../protocol/bucket.ts';
import type { BucketTable } from '../../store/store.ts';

/** What a row of an answer says of itself, in the order in which it is written. */
export type RowHead = Readonly<Record<string, unknown>>;

export type BucketAnswer = {
  readonly from: number;
  readonly to: number;
  readonly stepMs: number;
  /** Of each row of the table. */
  readonly heads: readonly RowHead[];
  /** Names of what a head has, in their order: columns of CSV. */
  readonly columns: readonly string[];
  readonly table: BucketTable;
  readonly wanted: ReadonlySet<BucketStatistic>;
};

/** The buckets of the only row as `items`, with what it says of itself around them. */
export function* oneRowJson(answer: BucketAnswer): Generator<string, void> {
  const { from, to, stepMs, heads } = answer;
  yield* opened({ ...heads[0], from, to, stepMs }, 'items');
  yield* buckets(answer, 0);
  yield '],"cursor":null}';
}

/** The rows as `items`, each with its `buckets`. */
export function* rowsJson(answer: BucketAnswer): Generator<string, void> {
  const { from, to, stepMs, heads } = answer;
  yield* opened({ from, to, stepMs }, 'items');
  for (const [row, head] of heads.entries()) {
    if (row > 0) yield ',';
    yield* opened(head, 'buckets');
    yield* buckets(answer, row);
    yield ']}';
  }
  yield '],"cursor":null}';
}

/** An object up to the beginning of the list that is its last field but what follows. */
function* opened(fields: RowHead, list: string): Generator<string, void> {
  yield `${JSON.stringify(fields).slice(0, -1)},"${list}":[`;
}

function* buckets({ table, wanted }: BucketAnswer, row: number): Generator<string, void> {
  for (let index = 0; index < table.length; index += 1) {
    const text = JSON.stringify(table.bucket(row, index, wanted));
    yield index === 0 ? text : `,${text}`;
  }
}

/** By RFC 4180, one line a bucket: what its row says, its time, its figures. Empty: null. */
export function* rowsCsv(answer: BucketAnswer): Generator<string, void> {
  const { heads, columns, table, wanted } = answer;
  const figures = ['count', ...[...wanted].filter((name) => name !== 'count'), 'approx', 'thinned', 'until'];
  yield csvLine([...columns, 'time', 't', ...figures]);
  for (const [row, head] of heads.entries()) {
    const before = columns.map((name) => head[name]);
    for (let index = 0; index < table.length; index += 1) {
      const bucket: Readonly<Record<string, unknown>> = table.bucket(row, index, wanted);
      const time = new Date(Number(bucket.t)).toISOString();
      yield csvLine([...before, time, bucket.t, ...figures.map((name) => bucket[name])]);
    }
  }
}

export function csvLine(cells: readonly unknown[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`;
}

function csvCell(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text =
    typeof value === 'string' ? value : typeof value === 'object' ? JSON.stringify(value) : `${value}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
