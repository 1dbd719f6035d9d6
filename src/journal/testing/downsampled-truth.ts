/** Compares frames with the samples that they stand for, for tests. */
import type { BucketColumn, BucketGroup } from '../../protocol/frame.ts';
import { decodeData, decodeDownsampled } from '../../protocol/frame-codec.ts';
import type { Sample } from '../../protocol/sample.ts';
import type { StoredFrame } from '../port.ts';

/** Thrown where a frame says what was not. */
export class Untrue extends Error {
  override readonly name = 'Untrue';
}

/**
 * Throws Untrue unless the data or thinned frame is true of its samples; `next` returns them one by one, from its first
 * seq on.
 */
export function checkTruth(frame: StoredFrame, next: () => Sample): void {
  if (frame.kind === 'data') checkData(frame, next);
  else checkBuckets(frame, next);
}

function checkData({ firstSeq, lastSeq, bytes }: StoredFrame, next: () => Sample): void {
  const rows = new Map<number, { readonly schemaRef: string; readonly values: readonly unknown[] }>();
  for (const { schemaRef, seqs, ts, columns } of decodeData(bytes).groups) {
    seqs.forEach((seq, row) => {
      rows.set(seq, { schemaRef, values: [ts[row], ...columns.map((one) => one?.values[row])] });
    });
  }
  for (let seq = firstSeq; seq <= lastSeq; seq += 1) {
    const sample = next();
    const row = rows.get(seq);
    const said = row?.values ?? [];
    const isSame = [sample.ts, ...sample.values].every((value, index) => Object.is(value, said[index]));
    if (row?.schemaRef !== sample.schema.ref || !isSame)
      throw new Untrue(`data: seq ${seq} is another sample`);
  }
}

type Figures = { count: number; min: number; max: number; sum: number };
type Open = {
  readonly group: BucketGroup;
  row: number;
  samples: number;
  from: number;
  to: number;
  readonly figures: Figures[];
};

/** A bucket's samples are those of its schema that follow one another from its first seq on. */
function checkBuckets({ firstSeq, lastSeq, bytes }: StoredFrame, next: () => Sample): void {
  const { groups } = decodeDownsampled(bytes);
  const open = new Map<string, Open>(
    groups.map((group) => [
      group.schemaRef,
      { group, row: -1, samples: 0, from: 0, to: 0, figures: group.columns.map(emptyFigures) },
    ]),
  );
  for (let seq = firstSeq; seq <= lastSeq; seq += 1) {
    const sample = next();
    const bucket = open.get(sample.schema.ref);
    if (bucket === undefined) throw new Untrue(`thinned: no buckets for the schema of seq ${seq}`);
    if (bucket.row < 0 || bucket.samples === bucket.group.sizes[bucket.row]) {
      bucket.row += 1;
      if (bucket.group.seqs[bucket.row] !== seq) throw new Untrue(`thinned: no bucket begins at ${seq}`);
      Object.assign(bucket, {
        samples: 0,
        from: sample.ts,
        to: sample.ts,
        figures: bucket.group.columns.map(emptyFigures),
      });
    }
    add(bucket, sample);
    if (bucket.samples === bucket.group.sizes[bucket.row]) compare(bucket);
  }
  for (const { group, row, samples } of open.values()) {
    if (row !== group.seqs.length - 1 || samples !== group.sizes[row])
      throw new Untrue('thinned: buckets without samples');
  }
}

function emptyFigures(): Figures {
  return { count: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY, sum: 0 };
}

function add(bucket: Open, { ts, values }: Sample): void {
  bucket.samples += 1;
  bucket.from = Math.min(bucket.from, ts);
  bucket.to = Math.max(bucket.to, ts);
  values.forEach((value, index) => {
    const figures = bucket.figures[index];
    if (typeof value !== 'number' || figures === undefined) return;
    figures.count += 1;
    figures.min = Math.min(figures.min, value);
    figures.max = Math.max(figures.max, value);
    figures.sum += value;
  });
}

const SUM_TOLERANCE = 1e-9;

function compare({ group, row, from, to, figures }: Open): void {
  const what = `thinned: the bucket at seq ${group.seqs[row]}`;
  if (group.ts[row] !== from || group.spans[row] !== to - from)
    throw new Untrue(`${what} is of another time`);
  figures.forEach(({ count, min, max, sum }, index) => {
    const column: BucketColumn | null = group.columns[index] ?? null;
    const said = column?.sum[row] ?? Number.NaN;
    const isTrue =
      column?.counts[row] === count &&
      (count === 0 ||
        (column.min[row] === min &&
          column.max[row] === max &&
          Math.abs(said - sum) <=
            SUM_TOLERANCE * Math.max(1, Math.abs(sum), count * Math.max(Math.abs(min), Math.abs(max)))));
    if (!isTrue) throw new Untrue(`${what}, series ${index}: not ${count}, ${min} … ${max}, Σ ${sum}`);
  });
}
