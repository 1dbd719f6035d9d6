/** A store in memory for tests of the gateway: it keeps what was appended and answers with it. */
import { defer, of } from 'rxjs';
import type { AnomalyDocument, SampleDocument } from '../../../protocol/api.ts';
import type { Sample } from '../../../protocol/sample.ts';
import { seriesKey } from '../../../protocol/schema-ref.ts';
import type { AgentRegistry, QueryStore, SampleLog } from '../../store/store.ts';

export type FakeStore = SampleLog &
  AgentRegistry &
  QueryStore & {
    readonly appended: { readonly agent: string; readonly sample: Sample }[];
    readonly anomalyList: AnomalyDocument[];
    /** When set, appends and reads fail with it. */
    fault: Error | null;
  };

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const EPOCH = '00000000000a';

export function createFakeStore(): FakeStore {
  const keys = new Map<string, string>();
  const fake: FakeStore = {
    appended: [],
    anomalyList: [],
    fault: null,
    reusesKey: ({ dedupKey, contentHash }) => (keys.get(dedupKey) ?? hex(contentHash)) !== hex(contentHash),
    appendSamples: ({ agent, samples, dedupKey, contentHash }) =>
      defer(() => {
        if (fake.fault !== null) throw fake.fault;
        const duplicate = keys.has(dedupKey);
        keys.set(dedupKey, hex(contentHash));
        if (!duplicate) fake.appended.push(...samples.map((sample) => ({ agent, sample })));
        return of({ duplicate, stored: duplicate ? 0 : samples.length });
      }),
    putSchema: () => of(undefined),
    schema: (agent, ref) =>
      fake.appended.find((one) => one.agent === agent && one.sample.schema.ref === ref)?.sample.schema,
    seriesCount: (agent) => fake.series(agent).length,
    agents: () =>
      [...new Set(fake.appended.map(({ agent }) => agent))].map((agent) => ({
        agent,
        epoch: EPOCH,
        firstSeenTs: 0,
      })),
    ledger: () => [
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
    ],
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
    series: (agent) => {
      const samples = fake.appended.filter((one) => one.agent === agent);
      const schemas = new Map(samples.map(({ sample }) => [sample.schema.ref, sample.schema]));
      return [...schemas.values()].flatMap(({ series, source }) =>
        series.map((one) => ({ ...one, series: seriesKey(one), source, firstTs: 0, lastTs: 0 })),
      );
    },
    buckets: ({ from, stepMs, to }) =>
      of(
        Array.from({ length: Math.ceil((to - from) / stepMs) }, (_, index) => ({
          t: from + index * stepMs,
          count: 0,
          min: null,
          max: null,
          mean: null,
        })),
      ),
    anomalies: () => of(fake.anomalyList),
  };
  return fake;
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
