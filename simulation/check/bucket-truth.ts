/** Whether the buckets of a thinned frame say of the samples that they stand for what those samples were. */
import { decodeDownsampled } from '../../src/protocol/frame-codec.ts';
import type { Content } from './contents.ts';

type Statistics = {
  readonly count: number;
  readonly numbers: number;
  readonly min: number;
  readonly max: number;
  readonly sum: number;
};
export type BucketSaid = {
  readonly ref: string;
  /** First seq of the bucket, and of the next one of its schema (else the end of the frame). */
  readonly start: number;
  readonly end: number;
  readonly size: number;
  readonly ts: number;
  readonly span: number;
  readonly mono: number;
  readonly columns: readonly Statistics[];
};

export function bucketsIn(bytes: Uint8Array): readonly BucketSaid[] {
  const { header, groups } = decodeDownsampled(bytes);
  return groups.flatMap(({ schemaRef, seqs, sizes, ts, spans, mono, columns }) =>
    Array.from(seqs, (start, row) => ({
      ref: schemaRef,
      start,
      end: seqs[row + 1] ?? header.firstSeq + header.count,
      size: sizes[row] ?? Number.NaN,
      ts: ts[row] ?? Number.NaN,
      span: spans[row] ?? Number.NaN,
      mono: mono[row] ?? Number.NaN,
      columns: columns.map((column) => ({
        count: column?.counts[row] ?? Number.NaN,
        numbers: column?.numbers[row] ?? Number.NaN,
        min: column?.min[row] ?? Number.NaN,
        max: column?.max[row] ?? Number.NaN,
        sum: column?.sum[row] ?? Number.NaN,
      })),
    })),
  );
}

/** The samples that a bucket stands for, and what it says wrongly of them; null: nothing. */
export type Explained = { readonly members: readonly Content[]; readonly wrong: string | null };

/** The sample at a seq of the bucket, as far as it is known. */
export type AtSeq = (seq: number) => Content | undefined;

/** Relative: additions in another order differ in the last digits. */
const SUM_TOLERANCE = 1e-9;
/** A source gives out no more numbers within one bucket; what says so is nonsense. */
const MAX_NUMBERS = 1_000_000;

/**
 * Every sample that a machine has ever committed, by schema and identity: the first value of a sample is its identity,
 * which ascends. So a bucket names its samples by the least and the greatest of them, also under another epoch and
 * after a disk was replaced; where the seqs are known they come first, as samples of a disk that was rolled back lie
 * between the identities too.
 */
export type Archive = {
  readonly learn: (content: Content) => void;
  readonly explain: (bucket: BucketSaid, ...known: readonly AtSeq[]) => Explained;
};

export function createArchive(): Archive {
  const bySchema = new Map<string, Map<number, Content>>();

  const bySeq = ({ ref, start, end }: BucketSaid, atSeq: AtSeq) => {
    const members: Content[] = [];
    for (let seq = start; seq < end; seq += 1) {
      const content = atSeq(seq);
      if (content?.ref === ref) members.push(content);
    }
    return members;
  };
  const byIdentity = ({ ref, columns }: BucketSaid) => {
    const known = bySchema.get(ref);
    const [identity] = columns;
    const members: Content[] = [];
    if (known === undefined || identity === undefined || !(identity.max - identity.min < MAX_NUMBERS))
      return members;
    for (let id = identity.min; id <= identity.max; id += 1) {
      const content = known.get(id);
      if (content !== undefined) members.push(content);
    }
    return members;
  };

  return {
    learn: (content) => {
      const known = bySchema.get(content.ref) ?? new Map<number, Content>();
      bySchema.set(content.ref, known);
      known.set(content.id, content);
    },
    explain: (bucket, ...known) => {
      let wrong: string | null = null;
      for (const members of [...known.map((atSeq) => bySeq(bucket, atSeq)), byIdentity(bucket)]) {
        const difference = differenceOf(bucket, members);
        if (difference === null) return { members, wrong: null };
        wrong ??= difference;
      }
      return { members: [], wrong };
    },
  };
}

/** `members` in order of their seqs. */
export function differenceOf(bucket: BucketSaid, members: readonly Content[]): string | null {
  const [first] = members;
  if (members.length !== bucket.size || first === undefined)
    return `${bucket.size} samples, ${members.length} were there`;
  const times = members.map(({ ts }) => ts);
  const ts = Math.min(...times);
  const span = Math.max(...times) - ts;
  if (bucket.ts !== ts || bucket.span !== span)
    return `ts ${bucket.ts} + ${bucket.span}, was ${ts} + ${span}`;
  if (bucket.mono !== first.mono) return `mono ${bucket.mono}, was ${first.mono}`;
  for (const [index, said] of bucket.columns.entries()) {
    const was = statisticsOf(members.map(({ values }) => values[index] ?? null));
    for (const figure of ['count', 'numbers', 'min', 'max'] as const) {
      if (!Object.is(said[figure] + 0, was[figure] + 0))
        return `${figure} of series ${index} ${said[figure]}, was ${was[figure]}`;
    }
    if (!isNear(said.sum, was.sum, was.magnitude))
      return `sum of series ${index} ${said.sum}, was ${was.sum}`;
  }
  return null;
}

function statisticsOf(values: readonly (number | null)[]): Statistics & { readonly magnitude: number } {
  const present = values.filter((value) => value !== null);
  const numbers = present.filter((value) => !Number.isNaN(value));
  const none = numbers.length === 0;
  return {
    count: present.length,
    numbers: numbers.length,
    min: none ? Number.NaN : Math.min(...numbers),
    max: none ? Number.NaN : Math.max(...numbers),
    sum: none ? Number.NaN : numbers.reduce((sum, value) => sum + value, 0),
    magnitude: numbers.reduce((sum, value) => sum + Math.abs(value), 0),
  };
}

function isNear(said: number, was: number, magnitude: number): boolean {
  return Object.is(said, was) || Math.abs(said - was) <= SUM_TOLERANCE * magnitude;
}
