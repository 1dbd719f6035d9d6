/** Frames and storages for tests of HQ. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncScheduler, firstValueFrom, lastValueFrom } from 'rxjs';
import { type Clock, createSystemClock } from '../../../platform/clock.ts';
import { seededIds } from '../../../platform/ids.ts';
import { seededRandom } from '../../../platform/random.ts';
import type { GapReason } from '../../../protocol/frame.ts';
import {
  bucketsOf,
  coarsen,
  decodeData,
  encodeDownsampled,
  encodeGap,
  encodeSamples,
  readHeader,
} from '../../../protocol/frame-codec.ts';
import type { Anomaly, InternedSchema, Sample } from '../../../protocol/sample.ts';
import { internSchema } from '../../../protocol/schema-ref.ts';
import { openLmdbStorage } from '../../../storage/lmdb/lmdb-storage.ts';
import { createMemoryStorage } from '../../../storage/memory/memory-storage.ts';
import type { Storage } from '../../../storage/storage.ts';
import { type HqStoreOptions, openHqStore } from '../open-hq-store.ts';
import type { AgentFrame, HqStore, SampleDelivery } from '../store.ts';

export const EPOCH = 'aaaaaaaaaaaa';
export const START = Date.UTC(2026, 0, 1);

export const schema = internSchema({
  source: 'sim',
  boot: 'boot-1',
  series: [
    { name: 'sensor.value', attributes: { sensor: '1' }, unit: 'V' },
    { name: 'sensor.value', attributes: { sensor: '2' }, unit: 'V' },
  ],
});
export const SERIES = 'sensor.value{sensor=1}';

/** Sample of a seq: one a second from START, values that tell the seq. */
export function sampleOf(seq: number, anomalies: readonly Anomaly[] = []): Sample {
  return {
    schema,
    ts: START + seq * 1000,
    mono: seq * 1000,
    values: [seq, -seq],
    anomalies,
    diagnostics: [],
  };
}

type FrameOptions = {
  readonly agent?: string;
  readonly epoch?: string;
  readonly lane?: AgentFrame['lane'];
  readonly arrivalTs?: number;
  /** Default: `schema`. */
  readonly schema?: InternedSchema;
  readonly anomalies?: (seq: number) => readonly Anomaly[];
};

/** A data frame of the seqs `first … last`. */
export function dataFrame(first: number, last: number, options: FrameOptions = {}): AgentFrame {
  const { agent = 'a1', epoch = EPOCH, lane = 'backlog', arrivalTs = START + last * 1000 + 50 } = options;
  const samples = Array.from({ length: last - first + 1 }, (_, index) =>
    sampleOf(first + index, options.anomalies?.(first + index)),
  ).map((sample) => ({ ...sample, schema: options.schema ?? schema }));
  const bytes = encodeSamples({ epoch, firstSeq: first, samples });
  return { agent, header: readHeader(bytes), bytes, arrivalTs, lane };
}

/** The same samples thinned, in buckets of `window`. At most 4096 samples. */
export function downsampledFrame(
  first: number,
  last: number,
  { window, ...options }: FrameOptions & { readonly window: number },
): AgentFrame {
  const { bytes: whole, ...rest } = dataFrame(first, last, options);
  const groups = coarsen(bucketsOf(decodeData(whole)), { window, apart: true });
  const { epoch } = rest.header;
  const bytes = encodeDownsampled({ epoch, firstSeq: first, count: last - first + 1, groups });
  return { ...rest, header: readHeader(bytes), bytes };
}

export function gapFrame(
  first: number,
  last: number,
  reason: GapReason,
  options: FrameOptions = {},
): AgentFrame {
  const { agent = 'a1', epoch = EPOCH, lane = 'backlog', arrivalTs = START } = options;
  const bytes = encodeGap({
    epoch,
    firstSeq: first,
    count: last - first + 1,
    tsMin: START + first * 1000,
    tsMax: START + last * 1000,
    reason,
  });
  return { agent, header: readHeader(bytes), bytes, arrivalTs, lane };
}

/**
 * A delivery over HTTP of the samples of these seqs, of each of the agents. `content`: what its key stands for; the
 * default is one content for all.
 */
export function delivery(
  key: string,
  options: {
    readonly agents?: readonly string[];
    readonly seqs?: readonly number[];
    readonly content?: number;
    readonly arrivalTs?: number;
  } = {},
): SampleDelivery {
  const { agents = ['web'], seqs = [1, 2], content = 1, arrivalTs = START } = options;
  const samples = seqs.map((seq) => sampleOf(seq));
  return {
    parts: agents.map((agent) => ({ agent, samples, dedupKey: key })),
    contentHash: Buffer.alloc(32, content),
    arrivalTs,
  };
}

/** Real timers, wall time that the test sets. */
export function testClock(now = START): Clock & { set: (now: number) => void } {
  const system = createSystemClock();
  let wall = now;
  return {
    ...system,
    now: () => wall,
    scheduler: asyncScheduler,
    set: (next) => {
      wall = next;
    },
  };
}

/** Where a store lives; `reopen` closes the storage and opens it on the same disk. */
export type Home = { readonly open: () => Promise<Storage>; readonly remove: () => void };

export const homes: Readonly<Record<'memory' | 'lmdb', () => Home>> = {
  memory: () => {
    const disk = { records: new Map<string, Uint8Array>(), orderedKeys: null, usedBytes: 0 };
    return { open: async () => createMemoryStorage({ disk }), remove: () => {} };
  },
  lmdb: () => {
    const directory = mkdtempSync(join(tmpdir(), 'holdfast-hq-store-'));
    const clock = createSystemClock();
    return {
      open: () => firstValueFrom(openLmdbStorage({ directory: join(directory, 'store'), clock })),
      remove: () => rmSync(directory, { recursive: true, force: true }),
    };
  },
};

export function openStore(storage: Storage, options: Partial<HqStoreOptions> = {}): Promise<HqStore> {
  return firstValueFrom(
    openHqStore({ storage, clock: testClock(), ids: seededIds(seededRandom(1)), ...options }),
  );
}

export const closeStore = (store: HqStore): Promise<unknown> =>
  lastValueFrom(store.close(), { defaultValue: null });
