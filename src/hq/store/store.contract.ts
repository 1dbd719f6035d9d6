/** What every store of HQ promises in each of its roles, as tests. Run it on each engine. */
import { firstValueFrom, lastValueFrom, type Observable, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { internSchema } from '../../protocol/schema-ref.ts';
import { StorageError } from '../../storage/storage.ts';
import { CursorError } from './cursor-error.ts';
import type { HqStore } from './store.ts';
import { closeStore, dataFrame, delivery, EPOCH, gapFrame, START, schema } from './testing/frames.ts';
import { allSeqs, coverageOf, EVER, ledgerOf, numbers, numbersOf } from './testing/read.ts';
import type { UsedStore } from './testing/use-store.ts';

type Promises = Readonly<Record<string, (at: UsedStore) => Promise<void>>>;

/** `use` opens an empty store for each test; its agent `a1` has the schema of the test frames. */
export function describeHqStoreContract(name: string, use: () => UsedStore): void {
  describe(`${name} keeps the contract of HQ's store`, () => {
    const at = use();
    const all = { ...ANSWERS, ...FRAME_LOG, ...COVERAGE, ...REGISTRY, ...RECORDS };
    for (const [promise, holds] of Object.entries(all)) it(promise, () => holds(at));
  });
}

const OTHER = 'bbbbbbbbbbbb';
const NOTE = { agent: 'a1', epoch: EPOCH, sampled: 9, released: 3, ts: START };
const ALARM = { kind: 'lost_at_hq', since: START, detail: 'told', lastTs: START } as const;
const HISTORY = {
  points: [[START, 3, 90] satisfies [number, number, number]],
  spans: [{ effect: 'down' as const, from: START, to: null }],
};
const RHYTHM = { lastTs: START, pauses: [60_000, 61_000] };
const PAUSE = { reason: 'window', until: null, ts: START } as const;

const LABELS = { told: { site: 'nord' }, set: { rack: '7', old: null } };

const RANGE = { agent: 'a1', ...EVER };

function questions(store: HqStore): Readonly<Record<string, Observable<unknown>>> {
  return {
    epoch: store.epoch('a1', EPOCH),
    holderOf: store.holderOf(EPOCH),
    agents: store.agents(),
    agent: store.agent('a1'),
    schemas: store.schemas('a1'),
    lacks: store.lacks('a1', [schema.ref]),
    schema: store.schema('a1', schema.ref),
    series: store.series('a1'),
    ledger: store.ledger('a1'),
    samples: store.samples({ ...RANGE, limit: 10, cursor: null }),
    buckets: store.buckets({
      ...{ stepMs: 60_000, from: START, to: START + 3_600_000, rows: 1, percentiles: true },
      series: [{ agent: 'a1', source: 'sim', series: 'sensor.value{sensor=1}', row: 0 }],
    }),
    events: store.events({ ...RANGE, limit: 10, cursor: null }),
    arrivals: store.arrivals({ ...RANGE, gapMs: 1000, limit: 10, cursor: null }),
    anomalies: store.anomalies({ ...RANGE, limit: 10, cursor: null }),
    numbers: store.numbers(['a1']),
    lastSampleTs: store.lastSampleTs(['a1']),
    alarms: store.alarms(),
    labels: store.labels(),
    ingestHistory: store.ingestHistory(),
  };
}

function commands(store: HqStore): Readonly<Record<string, Observable<unknown>>> {
  return {
    append: store.append([dataFrame(1, 3)]),
    noteEpoch: store.noteEpoch(NOTE),
    putSchema: store.putSchema('a1', internSchema({ ...schema, source: 'other' })),
    saveAlarms: store.saveAlarms(new Map([['a1', ALARM]])),
    saveLabels: store.saveLabels(new Map([['a1', LABELS]])),
    saveEvents: store.saveEvents({
      events: [{ agent: 'a1', event: { ts: START, kind: 'retired' } }],
      leftOut: 0,
    }),
    saveIngestHistory: store.saveIngestHistory(new Map([['0', HISTORY]])),
  };
}

const ANSWERS: Promises = {
  'answers each question once and completes, of agents too that it has never heard of': async ({ store }) => {
    for (const [name, question] of Object.entries(questions(store)))
      expect(await lastValueFrom(question.pipe(toArray())), name).toHaveLength(1);
  },
  'answers as of when it is asked, each time': async (at) => {
    const asked = questions(at.store);
    const before = { epoch: null, holderOf: null, agents: [], ledger: [], lastSampleTs: [null] };
    for (const [name, answer] of Object.entries(before))
      expect(await firstValueFrom(asked[name] as Observable<unknown>), name).toEqual(answer);
    await at.append(dataFrame(1, 3));
    const after = {
      epoch: { coverage: { contiguous: 3 } },
      holderOf: 'a1',
      agents: [{ agent: 'a1', epoch: EPOCH }],
      ledger: [{ epoch: EPOCH, stored: 3 }],
      numbers: [{ counts: { stored: 3 } }],
    };
    for (const [name, answer] of Object.entries(after)) {
      const now = await firstValueFrom(asked[name] as Observable<unknown>);
      if (typeof answer === 'string') expect(now, name).toBe(answer);
      else expect(now, name).toMatchObject(answer);
    }
  },
  'does nothing before it is subscribed': async (at) => {
    commands(at.store);
    await at.append(dataFrame(5, 5));
    expect(await coverageOf(at.store)).toEqual({ contiguous: 0, ranges: [[5, 5]] });
    expect(await firstValueFrom(at.store.alarms())).toEqual(new Map());
    expect(await firstValueFrom(at.store.schemas('a1'))).toEqual([{ ref: schema.ref, series: 2 }]);
  },
  'fails with a StorageError once it is closed, whatever is to be written': async (at) => {
    const asked = commands(at.store);
    await closeStore(at.store);
    for (const [name, command] of Object.entries(asked))
      await expect(firstValueFrom(command), name).rejects.toThrow(StorageError);
    await at.reopen();
    expect(await ledgerOf(at.store)).toEqual([]);
  },
  'takes a cursor that it never gave out for a fault of the caller': async ({ store }) => {
    const query = { ...RANGE, limit: 1, cursor: 'made up' };
    await expect(firstValueFrom(store.samples(query))).rejects.toThrow(CursorError);
  },
};

const FRAME_LOG: Promises = {
  'stores overlapping and repeated frames once each and shows every sample once': async (at) => {
    const outcomes = await at.append(dataFrame(1, 10), dataFrame(5, 15), dataFrame(1, 15), dataFrame(21, 25));
    expect(outcomes.map(({ stored, duplicates }) => [stored, duplicates])).toEqual([
      [10, 0],
      [5, 6],
      [0, 15],
      [5, 0],
    ]);
    expect(outcomes[3]).toMatchObject({ coverage: { contiguous: 15, ranges: [[21, 25]] } });
    const [filling] = await at.append(dataFrame(14, 30));
    expect(filling).toMatchObject({ stored: 10, duplicates: 7, coverage: { contiguous: 30, ranges: [] } });
    expect(await allSeqs(at.store)).toEqual(numbers(1, 30));
  },
  'commits what is appended together, or nothing of it': async (at) => {
    const damaged = { ...gapFrame(4, 6, 'damaged'), bytes: Uint8Array.of(1, 2, 3) };
    await expect(at.append(dataFrame(1, 3), damaged)).rejects.toThrow();
    expect(await ledgerOf(at.store)).toEqual([]);
    expect(await at.append(dataFrame(1, 3))).toMatchObject([{ stored: 3, duplicates: 0 }]);
  },
  'tells what was appended in its order, once the store says so itself': async (at) => {
    const told: unknown[] = [];
    at.store.appended$.subscribe(
      ({ frame, outcome }) => void told.push([frame.header.firstSeq, outcome.stored]),
    );
    await at.append(dataFrame(4, 6), dataFrame(1, 3), dataFrame(2, 5));
    expect(told).toEqual([
      [4, 3],
      [1, 3],
      [2, 0],
    ]);
  },
  'appends in the order of the questions': async (at) => {
    const all = [dataFrame(1, 1), dataFrame(2, 2), gapFrame(3, 4, 'damaged')].map((one) => at.append(one));
    const coverages = (await Promise.all(all)).map(([outcome]) => outcome);
    expect(coverages.at(-1)).toMatchObject({ dropped: 2 });
    expect(await coverageOf(at.store)).toEqual({ contiguous: 4, ranges: [] });
  },
  'keeps frames, coverage and ledger over a restart': async (at) => {
    await at.append(dataFrame(1, 10), gapFrame(11, 20, 'overflow_oldest'), dataFrame(31, 40));
    at.store.observeSampled('a1', EPOCH, 50);
    await at.append(dataFrame(41, 41));
    const before = await ledgerOf(at.store);
    await at.reopen();
    expect(await ledgerOf(at.store)).toEqual(before);
    const counts = { sampled: 50, stored: 21, pending: 19, dropped: { overflow_oldest: 10 }, contiguous: 20 };
    expect(before).toMatchObject([{ epoch: EPOCH, ...counts }]);
    expect((await at.append(dataFrame(1, 41)))[0]).toMatchObject({ stored: 10, duplicates: 31 });
    expect(await firstValueFrom(at.store.agents())).toMatchObject([{ agent: 'a1', epoch: EPOCH }]);
  },
};

const COVERAGE: Promises = {
  'knows of an epoch what was said and stored of it': async (at) => {
    const run = { number: 1, instance: 'first' };
    await firstValueFrom(at.store.noteEpoch({ ...NOTE, released: 0, run }));
    const said = { coverage: { contiguous: 0, ranges: [] }, sampled: 9, owned: false };
    const known = () => firstValueFrom(at.store.epoch('a1', EPOCH));
    expect(await known()).toEqual({ ...said, run: { ...run, delivered: false } });
    at.store.observeSampled('a1', EPOCH, 12);
    await at.append(dataFrame(2, 4));
    const coverage = { contiguous: 0, ranges: [[2, 4]] };
    expect(await known()).toEqual({ ...said, coverage, sampled: 12, run: { ...run, delivered: true } });
    expect(await firstValueFrom(at.store.holderOf(EPOCH))).toBe('a1');
    expect(await firstValueFrom(at.store.epoch('a1', OTHER))).toBeNull();
    expect(await firstValueFrom(at.store.epoch('a2', EPOCH))).toBeNull();
  },
  'accounts for what an agent has released and HQ lacks as lost, with the times around it': async (at) => {
    await at.append(dataFrame(11, 20));
    const note = { agent: 'a1', epoch: EPOCH, sampled: 40, released: 30, ts: START + 7 };
    const noted = { coverage: { contiguous: 30, ranges: [] } };
    expect(await firstValueFrom(at.store.noteEpoch(note))).toEqual({ ...noted, lost: 20 });
    expect(await firstValueFrom(at.store.noteEpoch(note)), 'once').toEqual({ ...noted, lost: 0 });
    expect(await ledgerOf(at.store)).toMatchObject([
      {
        ...{ sampled: 40, stored: 10, pending: 10, dropped: { lost_at_hq: 20 } },
        gaps: [
          { firstSeq: 1, lastSeq: 10, reason: 'lost_at_hq', toTs: START + 11_000 },
          { firstSeq: 21, lastSeq: 30, reason: 'lost_at_hq', fromTs: START + 20_000 },
        ],
      },
    ]);
  },
  'keeps over a restart what an agent said it has at hello, even if nothing of it ever comes': async (at) => {
    const note = { agent: 'a1', epoch: EPOCH, released: 0, ts: START };
    await at.append(dataFrame(1, 10));
    await firstValueFrom(at.store.noteEpoch({ ...note, sampled: 10 }));
    await firstValueFrom(at.store.noteEpoch({ ...note, sampled: 500 }));
    await at.reopen();
    expect(await ledgerOf(at.store)).toMatchObject([{ sampled: 500, stored: 10, pending: 490 }]);
  },
  'keeps what was heard of an old epoch when the agent starts a new one': async (at) => {
    await at.append(dataFrame(1, 10));
    const note = { agent: 'a1', released: 0, ts: START };
    await firstValueFrom(at.store.noteEpoch({ ...note, epoch: EPOCH, sampled: 10 }));
    at.store.observeSampled('a1', EPOCH, 25);
    await firstValueFrom(at.store.noteEpoch({ ...note, epoch: OTHER, sampled: 3 }));
    await at.reopen();
    expect(await ledgerOf(at.store)).toMatchObject([
      { epoch: EPOCH, sampled: 25, stored: 10, pending: 15 },
      { epoch: OTHER, sampled: 3, stored: 0, pending: 3 },
    ]);
    const counts = { sampled: 28, stored: 10, pending: 18, thinned: 0, dropped: 0 };
    expect((await numbersOf(at.store)).counts).toEqual(counts);
    expect(await firstValueFrom(at.store.agents())).toMatchObject([{ epoch: OTHER }]);
  },
};

const REGISTRY: Promises = {
  'knows agents by what they deliver, whichever way': async (at) => {
    await at.append(dataFrame(1, 1), delivery('k', { arrivalTs: START + 5 }));
    const web = { agent: 'web', firstSeenTs: START + 5, owned: true };
    expect(await firstValueFrom(at.store.agent('web'))).toMatchObject(web);
    expect(await firstValueFrom(at.store.agent('a1'))).toMatchObject({ epoch: EPOCH, owned: false });
    expect(await firstValueFrom(at.store.agent('a2'))).toBeNull();
    await at.reopen();
    const all = await firstValueFrom(at.store.agents());
    expect(all.map(({ agent }) => agent).sort()).toEqual(['a1', 'web']);
  },
  'knows schemas after a restart and counts series once over boots, but for each source': async (at) => {
    const rebooted = internSchema({ ...schema, boot: 'boot-2' });
    const other = internSchema({ ...schema, source: 'other' });
    for (const one of [rebooted, other, other]) await firstValueFrom(at.store.putSchema('a1', one));
    await at.reopen();
    const refs = [schema.ref, rebooted.ref, other.ref];
    const known = await firstValueFrom(at.store.schemas('a1'));
    expect(known.map(({ ref }) => ref).sort()).toEqual(refs.sort());
    expect(known.map(({ series }) => series)).toEqual([2, 2, 2]);
    expect(await firstValueFrom(at.store.lacks('a1', ['unheard of', rebooted.ref]))).toEqual(['unheard of']);
    expect(await firstValueFrom(at.store.lacks('a2', [rebooted.ref]))).toEqual([rebooted.ref]);
    expect(await firstValueFrom(at.store.schema('a1', rebooted.ref))).toEqual(rebooted);
    expect(await firstValueFrom(at.store.schema('a2', rebooted.ref))).toBeNull();
    expect((await numbersOf(at.store)).seriesCount).toBe(4);
    expect(await firstValueFrom(at.store.series('a1'))).toHaveLength(4);
  },
  'counts for each agent that is asked for, in their order': async (at) => {
    await at.append(dataFrame(1, 5), delivery('k'));
    const found = await firstValueFrom(at.store.numbers(['web', 'nobody', 'a1']));
    expect(found.map(({ counts, seriesCount }) => [counts.stored, seriesCount])).toEqual([
      [2, 2],
      [0, 0],
      [5, 2],
    ]);
  },
};

const RECORDS: Promises = {
  'hides a retired agent and keeps what it has of it, until something comes of it': async (at) => {
    const retire = (agent: string) => firstValueFrom(at.store.retire(agent, START));
    const ids = async () => (await firstValueFrom(at.store.agents())).map(({ agent }) => agent);
    await at.append(dataFrame(1, 5), delivery('k'));
    expect([await retire('a1'), await retire('a1'), await retire('nobody')]).toEqual([true, false, false]);
    await retire('web');
    await at.reopen();
    expect(await ids()).toEqual([]);
    expect(await firstValueFrom(at.store.agent('a1'))).toMatchObject({ retiredTs: START });
    expect(await allSeqs(at.store)).toEqual(numbers(1, 5));
    expect(await ledgerOf(at.store)).toMatchObject([{ stored: 5 }]);
    // What is known already brings it back, too.
    await firstValueFrom(at.store.noteEpoch({ ...NOTE, sampled: 5 }));
    expect(await ids()).toEqual(['a1']);
    await at.append(delivery('another'));
    expect((await ids()).sort()).toEqual(['a1', 'web']);
    await retire('a1');
    await at.append(dataFrame(6, 6));
    expect(await firstValueFrom(at.store.agent('a1'))).not.toHaveProperty('retiredTs', START);
  },
  'keeps alarms until they are removed': async (at) => {
    const save = (...changes: (readonly [string, typeof ALARM | null])[]) =>
      lastValueFrom(at.store.saveAlarms(new Map(changes)));
    await save(['a1', ALARM], ['nobody', ALARM]);
    await save(['a1', { ...ALARM, detail: 'told' }], ['nobody', null]);
    await at.reopen();
    expect(await firstValueFrom(at.store.alarms())).toEqual(new Map([['a1', ALARM]]));
  },
  'keeps labels until they are removed': async (at) => {
    const save = (...changes: (readonly [string, typeof LABELS | null])[]) =>
      lastValueFrom(at.store.saveLabels(new Map(changes)));
    await save(['a1', { ...LABELS, told: { site: 'west' } }], ['nobody', LABELS]);
    await save(['a1', LABELS], ['nobody', null]);
    await at.reopen();
    expect(await firstValueFrom(at.store.labels())).toEqual(new Map([['a1', LABELS]]));
  },
  'keeps the history of ingest by name until it is removed': async (at) => {
    const save = (...changes: (readonly [string, typeof HISTORY | null])[]) =>
      lastValueFrom(at.store.saveIngestHistory(new Map(changes)), { defaultValue: undefined });
    await save(['0', HISTORY], ['1', HISTORY]);
    await save(['1', null], ['0', { ...HISTORY, spans: [] }]);
    await at.reopen();
    const kept = new Map([['0', { ...HISTORY, spans: [] }]]);
    expect(await firstValueFrom(at.store.ingestHistory())).toEqual(kept);
  },
  'keeps why frames of an agent wait with its record': async (at) => {
    await at.append(dataFrame(1, 1));
    const save = (pause: typeof PAUSE | null) =>
      lastValueFrom(at.store.savePauses(new Map([...['a1', 'nobody'].map((one) => [one, pause] as const)])));
    await save(PAUSE);
    await at.reopen();
    expect(await firstValueFrom(at.store.agent('a1'))).toMatchObject({ paused: PAUSE });
    expect(await firstValueFrom(at.store.agent('nobody'))).toBeNull();
    await save(null);
    expect((await firstValueFrom(at.store.agent('a1')))?.paused).toBeUndefined();
  },
  'keeps how often an agent delivers with its record, until it is retired': async (at) => {
    await at.append(dataFrame(1, 1));
    const save = () =>
      lastValueFrom(
        at.store.saveRhythms(new Map([...['a1', 'nobody'].map((one) => [one, RHYTHM] as const)])),
      );
    await save();
    await at.reopen();
    expect(await firstValueFrom(at.store.agent('a1'))).toMatchObject({ rhythm: RHYTHM });
    expect(await firstValueFrom(at.store.agent('nobody'))).toBeNull();
    await lastValueFrom(at.store.retire('a1', START));
    await save();
    expect((await firstValueFrom(at.store.agent('a1')))?.rhythm).toBeUndefined();
  },
};
