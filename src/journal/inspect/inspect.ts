/**
 * What the command line shows of an agent's journal: read-only, while the agent runs or not. Iterables are pulled, so
 * that a large export waits for its reader. HQ's directories hold other records; of them `journalStats` tells the
 * size and `verifyJournal` checks every record.
 */

import type { BucketGroup, GapReason } from '../../protocol/frame.ts';
import { decodeData, decodeDownsampled, readHeader, samplesOf } from '../../protocol/frame-codec.ts';
import { type ExactNumber, jsonNumber } from '../../protocol/json-number.ts';
import {
  type Anomaly,
  type InternedSchema,
  MAX_SEQ,
  type Sample,
  type SchemaRef,
  type SeqSample,
} from '../../protocol/sample.ts';
import { seriesKey } from '../../protocol/series-key.ts';
import { readRole } from '../../storage/directory/data-directory.ts';
import { isDirectoryInUse } from '../../storage/directory/directory-lock.ts';
import { type DirectoryRole, roleOfRecords } from '../../storage/directory/directory-role.ts';
import { type LmdbReader, openLmdbReader } from '../../storage/lmdb/lmdb-reader.ts';
import { type Reader, StorageError } from '../../storage/storage.ts';
import { listFrames, readFrame, readGap } from '../editor.ts';
import { ALL_DEAD_LETTERS, ALL_SCHEMAS, type FrameKey, LEDGER_KEY } from '../keys.ts';
import { ackedSamples, decodeLedger, type Ledger } from '../ledger.ts';
import { decodeDeadLetter } from '../release.ts';
import { schemaOf } from '../schemas.ts';

/** A frame that HQ refused, kept with the reason. */
export type DeadLetter = { readonly firstSeq: number; readonly lastSeq: number; readonly detail: string };

export type JournalSummary = Omit<Ledger, 'version' | 'hasAcked' | 'oldest'> & {
  readonly acked: number;
  /** Wall time of the oldest pending sample, ms. */
  readonly oldestPendingTs: number | null;
  readonly schemas: number;
  /** What HQ refused for good; at most the latest few hundred are kept. */
  readonly deadLetters: readonly DeadLetter[];
};

export type DirectoryReport = {
  readonly directory: string;
  /** Whether a process uses it now. */
  readonly running: boolean;
  /** Whose it is; null when nothing in it tells. */
  readonly role: DirectoryRole | null;
  readonly fileBytes: number;
  readonly usedBytes: number;
  /** Null in a directory that is not an agent's. */
  readonly journal: JournalSummary | null;
};

/** One sample, one bucket of samples, or one gap, as it is exported. */
export type ExportedSample = {
  readonly epoch: string;
  readonly seq: number;
  readonly ts: number;
  readonly mono: number;
  readonly boot: string;
  readonly source: string;
  /** By series; absent where nothing was measured. */
  readonly values: Readonly<Record<string, ExactNumber>>;
  readonly anomalies: readonly ExportedAnomaly[];
  readonly diagnostics: Sample['diagnostics'];
};
/** As in the sample; `series` is its place among those of the schema. */
export type ExportedAnomaly = ReturnType<typeof exportAnomaly>;
export type ExportedGap = {
  readonly epoch: string;
  readonly gap: {
    readonly firstSeq: number;
    readonly lastSeq: number;
    /** Null when the gap's frame is damaged. */
    readonly reason: GapReason | 'unreadable' | null;
  };
};
/** What is left of samples that were thinned. */
export type ExportedBucket = {
  readonly epoch: string;
  readonly thinned: {
    readonly firstSeq: number;
    readonly samples: number;
    /** Of the earliest sample, and how much later the latest is, ms. */
    readonly ts: number;
    readonly spanMs: number;
    readonly boot: string;
    readonly source: string;
    /** By series; `mean`, `min` and `max` are absent where nothing was measured. */
    readonly values: Readonly<
      Record<
        string,
        {
          readonly count: number;
          readonly mean?: ExactNumber;
          readonly min?: ExactNumber;
          readonly max?: ExactNumber;
        }
      >
    >;
  };
};
export type ExportedRecord = ExportedSample | ExportedBucket | ExportedGap;

/** Throws StorageError, like everything here. */
export function journalStats(directory: string): DirectoryReport {
  const running = isDirectoryInUse(directory);
  const reader = openLmdbReader(directory);
  try {
    const role = roleOf(directory, reader);
    return { directory, running, role, ...reader.stats(), journal: reader.read(summarise) };
  } finally {
    reader.close();
  }
}

function roleOf(directory: string, reader: LmdbReader): DirectoryRole | null {
  return readRole(directory) ?? reader.read(roleOfRecords);
}

function summarise(reader: Reader): JournalSummary | null {
  const ledger = decodeLedger(reader.get(LEDGER_KEY));
  if (ledger === null) return null;
  const { version: _version, hasAcked: _hasAcked, oldest, ...figures } = ledger;
  const many = { limit: Number.POSITIVE_INFINITY };
  return {
    ...figures,
    acked: ackedSamples(ledger),
    oldestPendingTs: oldest?.ts ?? null,
    schemas: reader.keys({ ...ALL_SCHEMAS, ...many }).length,
    deadLetters: reader
      .range({ ...ALL_DEAD_LETTERS, ...many })
      .flatMap(({ value }) => parseDeadLetter(value)),
  };
}

function parseDeadLetter(value: Uint8Array): DeadLetter[] {
  const { detail, frame } = decodeDeadLetter(value);
  try {
    const { firstSeq, count } = readHeader(frame);
    return [{ firstSeq, lastSeq: firstSeq + count - 1, detail }];
  } catch {
    return [];
  }
}

/** The newest `count` pending samples, and the buckets and gaps among them, newest first. */
export function* peekJournal(directory: string, count: number): Generator<ExportedRecord> {
  let left = count;
  for (const record of records(directory, true)) {
    if (left <= 0) return;
    left -= 1;
    yield record;
  }
}

/** All pending samples, buckets and gaps, oldest first. */
export function exportJournal(directory: string): Generator<ExportedRecord> {
  return records(directory, false);
}

function* records(directory: string, reverse: boolean): Generator<ExportedRecord> {
  const reader = openLmdbReader(directory);
  try {
    const ledger = decodeLedger(reader.read((one) => one.get(LEDGER_KEY)));
    if (ledger === null) {
      throw new StorageError(
        'configuration',
        roleOf(directory, reader) === 'hq'
          ? `The data directory ${directory} belongs to HQ, whose samples are read through its API. Name the data directory of an agent.`
          : `The data directory ${directory} holds no agent's journal.`,
      );
    }
    const schemas = new Map<SchemaRef, InternedSchema>();
    for (const part of frameParts(reader, reverse)) {
      const exported = exportPart(part, ledger.epoch, (ref) => schemaOf(reader, schemas, ref));
      yield* reverse ? exported.reverse() : exported;
    }
  } finally {
    reader.close();
  }
}

type FramePart = {
  readonly key: FrameKey;
  readonly bytes: Uint8Array | null;
  readonly reason: GapReason | null;
};

/** A frame a snapshot: a journal that is written meanwhile may compact or release what comes next. */
function* frameParts(reader: LmdbReader, reverse: boolean): Generator<FramePart> {
  for (let next = reverse ? MAX_SEQ : 0; ; ) {
    const part = reader.read((one): FramePart | null => {
      const bounds = reverse ? { first: 0, last: next } : { first: next, last: MAX_SEQ };
      const key = listFrames(one, { ...bounds, limit: 1, reverse })[0];
      if (key === undefined) return null;
      if (key.kind === 'gap') return { key, bytes: null, reason: readGap(one, key)?.reason ?? null };
      return { key, bytes: readFrame(one, key)?.bytes ?? null, reason: null };
    });
    if (part === null) return;
    yield part;
    next = reverse ? part.key.firstSeq - 1 : part.key.lastSeq + 1;
  }
}

function exportPart(
  { key, bytes, reason }: FramePart,
  epoch: string,
  schema: (ref: SchemaRef) => InternedSchema | undefined,
): ExportedRecord[] {
  const { firstSeq, lastSeq, kind } = key;
  if (kind === 'gap') return [{ epoch, gap: { firstSeq, lastSeq, reason } }];
  try {
    if (bytes === null) throw new Error('damaged');
    if (kind === 'thinned') return exportBuckets(epoch, bytes, schema);
    return samplesOf(decodeData(bytes), schema).map((sample) => exportSample(epoch, sample));
  } catch {
    return [{ epoch, gap: { firstSeq, lastSeq, reason: 'unreadable' } }];
  }
}

function exportBuckets(
  epoch: string,
  bytes: Uint8Array,
  schemaFor: (ref: SchemaRef) => InternedSchema | undefined,
): ExportedBucket[] {
  const buckets = decodeDownsampled(bytes).groups.flatMap((group) => {
    const schema = schemaFor(group.schemaRef);
    if (schema === undefined) throw new Error(`the schema ${group.schemaRef} is lost`);
    const { boot, source } = schema;
    return Array.from(group.seqs, (firstSeq, row) => {
      const [samples, ts, spanMs] = [group.sizes[row] ?? 0, group.ts[row] ?? 0, group.spans[row] ?? 0];
      const values = valuesOf(schema, group, row);
      return { epoch, thinned: { firstSeq, samples, ts, spanMs, boot, source, values } };
    });
  });
  return buckets.sort((a, b) => a.thinned.firstSeq - b.thinned.firstSeq);
}

function valuesOf(
  schema: InternedSchema,
  { columns }: BucketGroup,
  row: number,
): ExportedBucket['thinned']['values'] {
  return Object.fromEntries(
    schema.series.map((series, index) => {
      const column = columns[index];
      const count = column?.counts[row] ?? 0;
      const numbers = column?.numbers[row] ?? 0;
      if (!column || numbers === 0) return [seriesKey(series), { count }];
      const [min, max, sum] = [column.min[row] ?? 0, column.max[row] ?? 0, column.sum[row] ?? 0];
      return [
        seriesKey(series),
        { count, mean: jsonNumber(sum / numbers), min: jsonNumber(min), max: jsonNumber(max) },
      ];
    }),
  );
}

function exportAnomaly(anomaly: Anomaly) {
  const { peakValue, peakZ, mean, stddev, judgement } = anomaly;
  return {
    ...anomaly,
    peakValue: jsonNumber(peakValue),
    peakZ: jsonNumber(peakZ),
    mean: jsonNumber(mean),
    stddev: jsonNumber(stddev),
    ...(judgement && { judgement: { ...judgement, threshold: jsonNumber(judgement.threshold) } }),
  };
}

function exportSample(epoch: string, { seq, sample }: SeqSample): ExportedSample {
  const { schema, ts, mono, diagnostics } = sample;
  const anomalies = sample.anomalies.map(exportAnomaly);
  const values: Record<string, ExactNumber> = {};
  schema.series.forEach((series, index) => {
    const value = sample.values[index];
    if (typeof value === 'number') values[seriesKey(series)] = jsonNumber(value);
  });
  return { epoch, seq, ts, mono, boot: schema.boot, source: schema.source, values, anomalies, diagnostics };
}
