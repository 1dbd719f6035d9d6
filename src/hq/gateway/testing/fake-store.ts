/** A store in memory for tests of the gateway: it keeps what was appended and answers with it. */
import { defer, NEVER, of } from 'rxjs';
import type { AgentEvent } from '../../../protocol/agent-event.ts';
import type { AnomalyDocument, SampleDocument } from '../../../protocol/api.ts';
import type { InternedSchema, Sample, SchemaRef } from '../../../protocol/sample.ts';
import { seriesKey, sourceSeriesKey } from '../../../protocol/series-key.ts';
import { countValue, createTally, tableOf } from '../../store/bucket-tally.ts';
import type {
  AgentRecord,
  AgentRegistry,
  BucketQuery,
  BucketTable,
  CustodyQuery,
  CustodyTable,
  DeliveryOutcome,
  EventStore,
  FrameLog,
  QueryStore,
  SampleDelivery,
} from '../../store/store.ts';

export type FakeStore = FrameLog &
  AgentRegistry &
  QueryStore &
  Pick<EventStore, 'events'> & {
    readonly eventList: AgentEvent[];
    readonly appended: { readonly agent: string; readonly sample: Sample }[];
    readonly anomalyList: AnomalyDocument[];
    /** Tests may put another in its place. */
    buckets: QueryStore['buckets'];
    arrivals: QueryStore['arrivals'];
    custody: QueryStore['custody'];
    /** When set, appends and reads fail with it. */
    fault: Error | null;
  };

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const EPOCH = '00000000000a';
const NO_COUNTS = { sampled: 0, stored: 0, pending: 0, thinned: 0, dropped: 0 };

export function createFakeStore(): FakeStore {
  const keys = new Map<string, string>();
  const fake: FakeStore = {
    appended: [],
    anomalyList: [],
    fault: null,
    appended$: NEVER,
    append: (items) =>
      defer(() => {
        if (fake.fault !== null) throw fake.fault;
        return of(
          items.map((item) => {
            if (!('parts' in item)) throw new TypeError('no agents deliver here');
            return deliver(item, keys, fake.appended);
          }),
        );
      }),
    putSchema: () => of(undefined),
    schemas: (agent) =>
      defer(() =>
        of([...schemasOf(fake, agent).values()].map(({ ref, series }) => ({ ref, series: series.length }))),
      ),
    schema: (agent, ref) => defer(() => of(schemasOf(fake, agent).get(ref) ?? null)),
    lacks: (agent, refs) => defer(() => of(refs.filter((ref) => !schemasOf(fake, agent).has(ref)))),
    agents: () => defer(() => of([...new Set(fake.appended.map(({ agent }) => agent))].map(recordOf))),
    agent: (agent) =>
      defer(() => of(fake.appended.some((one) => one.agent === agent) ? recordOf(agent) : null)),
    retire: () => of(true),
    purge: (_, ts) => of({ ts, counts: NO_COUNTS, isDone: false }),
    purgeOf: () => of(null),
    purged$: NEVER,
    ledger: () =>
      of([
        {
          epoch: EPOCH,
          sampled: 3,
          stored: 2,
          pending: 0,
          thinned: {},
          dropped: { damaged: 1 },
          contiguous: 3,
          ranges: [],
          gaps: [],
        },
      ]),
    samples: ({ agent, limit, cursor, from, to }) =>
      defer(() => {
        if (fake.fault !== null) throw fake.fault;
        const start = Number(cursor ?? 0);
        const all = documents(fake, agent).filter(({ ts }) => ts >= from && ts < to);
        return of({
          items: all.slice(start, start + limit),
          cursor: start + limit < all.length ? String(start + limit) : null,
        });
      }),
    seriesKeys: (agent) =>
      of(
        new Set(
          [...schemasOf(fake, agent).values()].flatMap(({ source, series }) =>
            series.map((one) => sourceSeriesKey(source, seriesKey(one))),
          ),
        ),
      ),
    series: (agent) =>
      defer(() =>
        of(
          [...schemasOf(fake, agent).values()].flatMap(({ series, source }) =>
            series.map((one) => ({ ...one, series: seriesKey(one), source, firstTs: 0, lastTs: 0 })),
          ),
        ),
      ),
    buckets: (query) => defer(() => of(tableOfSamples(fake, query))),
    eventList: [],
    events: ({ limit, from, to }) =>
      defer(() =>
        of({ items: fake.eventList.filter(({ ts }) => ts >= from && ts < to).slice(0, limit), cursor: null }),
      ),
    arrivals: () => of({ items: [], cursor: null }),
    custody: (query) => defer(() => of(custodyOfSamples(fake, query))),
    anomalies: ({ limit, cursor }) => {
      const from = Number(cursor ?? 0);
      const end = from + limit;
      const all = fake.anomalyList.toSorted((one, other) => one.startTs - other.startTs);
      return of({ items: all.slice(from, end), cursor: end < all.length ? String(end) : null });
    },
  };
  return fake;
}

const recordOf = (agent: string): AgentRecord => ({ agent, epoch: EPOCH, firstSeenTs: 0, owned: true });

/** Counts what was appended of the series. */
function tableOfSamples(fake: FakeStore, query: BucketQuery): BucketTable {
  const { from, to, stepMs, rows, percentiles } = query;
  const tally = createTally({ rows, length: Math.ceil((to - from) / stepMs), percentiles });
  for (const { agent, sample } of fake.appended) {
    const { schema, ts, values } = sample;
    if (ts < from || ts >= to) continue;
    for (const { row, ...wanted } of query.series) {
      if (wanted.agent !== agent || wanted.source !== schema.source) continue;
      const value = values[schema.series.findIndex((one) => seriesKey(one) === wanted.series)];
      if (typeof value === 'number')
        countValue(tally, row * tally.length + Math.floor((ts - from) / stepMs), value);
    }
  }
  return tableOf(tally, query);
}

/** All that was appended is stored, on time. */
function custodyOfSamples(fake: FakeStore, query: CustodyQuery): CustodyTable {
  const length = Math.ceil((query.to - query.from) / query.stepMs);
  const cells = () => new Float64Array(length * query.rows);
  const stored = cells();
  for (const { agent, row } of query.agents) {
    for (const { sample } of fake.appended.filter((one) => one.agent === agent)) {
      const step = Math.floor((sample.ts - query.from) / query.stepMs);
      if (step >= 0 && step < length) stored[row * length + step] = (stored[row * length + step] ?? 0) + 1;
    }
  }
  return { length, stored, onTime: stored, thinned: cells(), dropped: cells(), pending: cells() };
}

function schemasOf({ appended }: FakeStore, agent: string): Map<SchemaRef, InternedSchema> {
  const samples = appended.filter((one) => one.agent === agent);
  return new Map(samples.map(({ sample }) => [sample.schema.ref, sample.schema]));
}

/** `keys`: what each stands for. */
function deliver(
  { parts, contentHash }: SampleDelivery,
  keys: Map<string, string>,
  appended: FakeStore['appended'],
): DeliveryOutcome {
  const content = hex(contentHash);
  const taken = parts.find(({ dedupKey }) => (keys.get(dedupKey) ?? content) !== content);
  const fresh = taken === undefined ? parts.filter(({ dedupKey }) => !keys.has(dedupKey)) : [];
  for (const { agent, samples, dedupKey } of fresh) {
    keys.set(dedupKey, content);
    appended.push(...samples.map((sample) => ({ agent, sample })));
  }
  const stored = fresh.reduce((sum, { samples }) => sum + samples.length, 0);
  return {
    stored,
    thinned: 0,
    duplicates: 0,
    dropped: 0,
    keyReusedAt: taken?.agent ?? null,
    keysFullAt: null,
  };
}

function documents(fake: FakeStore, agent: string): SampleDocument[] {
  return fake.appended
    .filter((one) => one.agent === agent)
    .map(({ sample }, index) => ({
      epoch: EPOCH,
      seq: index + 1,
      ts: sample.ts,
      mono: sample.mono,
      boot: sample.schema.boot,
      source: sample.schema.source,
      arrivalTs: 0,
      values: Object.fromEntries(
        sample.schema.series.flatMap((series, at) => {
          const value = sample.values[at];
          return typeof value === 'number' ? [[seriesKey(series), value]] : [];
        }),
      ),
      anomalies: [],
      diagnostics: [],
    }));
}
