/** Agents that are removed for good: everything of them goes, nothing else, and nothing that they have is lost. */
import {
  concatMap,
  defer,
  firstValueFrom,
  lastValueFrom,
  NEVER,
  type Observable,
  ReplaySubject,
  throwError,
} from 'rxjs';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import type { LedgerEntry } from '../../protocol/api.ts';
import type { Anomaly } from '../../protocol/sample.ts';
import { entriesOf } from '../../storage/read-page.ts';
import { type Storage, StorageError } from '../../storage/storage.ts';
import { toJson } from './epoch-state.ts';
import { agentRange, asBuffer, type KeyKind, KIND_SCOPES, kindRange } from './keys.ts';
import type { HqStore } from './store.ts';
import {
  closeStore,
  dataFrame,
  delivery,
  EPOCH,
  gapFrame,
  homes,
  openStore,
  START,
  schema,
} from './testing/frames.ts';
import { anomaliesOf, coverageOf, ledgerOf, numbersOf } from './testing/read.ts';
import { KINDS, useStore } from './testing/use-store.ts';

const OTHER_EPOCH = 'bbbbbbbbbbbb';
const ORDERED_AT = START + 86_400_000;

const anomaly = (seq: number): Anomaly => ({
  series: 0,
  state: 'closed',
  startTs: START + seq * 1000,
  peakTs: START + seq * 1000,
  peakValue: 9,
  peakZ: 5,
  mean: 1,
  stddev: 2,
  endTs: START + seq * 1000 + 500,
});

/** Something of each kind, of an agent whose journal has an epoch of its own. */
async function fill(store: HqStore, agent: string, epoch: string): Promise<void> {
  const of = { agent, epoch };
  await firstValueFrom(store.putSchema(agent, schema));
  const note = { ...of, sampled: 700, released: 0, run: { number: 1, instance: 'i1' }, ts: START };
  await firstValueFrom(store.noteEpoch(note));
  const indexed = firstValueFrom(store.indexed$);
  const small = Array.from({ length: 40 }, (_, at) =>
    dataFrame(at * 2 + 1, at * 2 + 2, {
      ...of,
      lane: 'live',
      anomalies: (seq) => (seq % 10 === 0 ? [anomaly(seq)] : []),
    }),
  );
  await firstValueFrom(store.append(small));
  await firstValueFrom(store.append([dataFrame(81, 400, of), gapFrame(401, 500, 'overflow_oldest', of)]));
  // A hole is left: 501 to 550.
  await firstValueFrom(store.append([dataFrame(551, 600, of)]));
  await firstValueFrom(store.append([delivery(`key of ${agent}`, { agents: [agent], seqs: [1, 2] })]));
  await indexed;
  const alarm = { kind: 'lost_at_hq' as const, since: START, detail: agent, lastTs: START };
  await lastValueFrom(store.saveAlarms(new Map([[agent, alarm]])));
  await lastValueFrom(store.saveLabels(new Map([[agent, { told: { site: agent }, set: {} }]])));
  await lastValueFrom(store.saveEvents({ events: [eventOf(agent)], leftOut: 0 }));
}

const eventOf = (agent: string) => ({ agent, event: { ts: START, kind: 'resumed' as const } });

const purgeOf = (store: HqStore, agent: string) => firstValueFrom(store.purgeOf(agent));
const isGone = (store: HqStore, agent: string) =>
  eventually(async () => expect(await purgeOf(store, agent)).toMatchObject({ isDone: true }));

/** Its commit gets through, and is said to have failed. */
const failing = <T>(commit: Observable<T>): Observable<T> =>
  commit.pipe(concatMap(() => throwError(() => new StorageError('io', 'unknown'))));

/** Takes so many commits and then none: HQ was killed. */
function killedAfter(storage: Storage, commits: number): { storage: Storage; killed: Promise<unknown> } {
  let left = commits;
  const killed = new ReplaySubject<null>(1);
  return {
    killed: firstValueFrom(killed),
    storage: {
      ...storage,
      commit: (work) =>
        defer(() => {
          left -= 1;
          if (left >= 0) return storage.commit(work);
          killed.next(null);
          return NEVER;
        }),
    },
  };
}

/** Readable as a gap, which retention would else remove. */
const GAP = toJson({ lastSeq: 9, reason: 'damaged', fromTs: START, toTs: START });
/** What keys of a kind have behind the agent, where it is not 12 bytes. */
const REST_BYTES: Readonly<Record<string, number>> = {
  A: 0,
  B: 0,
  I: 0,
  M: 0,
  W: 0,
  E: 6,
  S: 6,
  D: 16,
  N: 16,
  O: 14,
  T: 25,
};

const byEpoch = (ledger: readonly LedgerEntry[]) =>
  ledger.toSorted((one, other) => (one.epoch < other.epoch ? -1 : 1));

/** Kinds of keys of which some hold the name in key or value. */
function kindsThatName(storage: Storage, agent: string): readonly string[] {
  const name = Buffer.from(`${agent}\0`, 'latin1');
  const kinds = new Set<string>();
  storage.read((reader) => {
    for (const { key, value } of entriesOf(reader, { from: Buffer.from('A'), to: Buffer.from('[') })) {
      const bytes = Buffer.concat([asBuffer(key), Buffer.from([0]), asBuffer(value)]);
      if (bytes.includes(name) || asBuffer(value).includes(agent))
        kinds.add(String.fromCharCode(key[0] ?? 0));
    }
  });
  return [...kinds].sort();
}

const countOf = (storage: Storage, kind: KeyKind) =>
  storage.read((reader) => [...entriesOf(reader, kindRange(kind))].length);

describe.each(KINDS)('an agent removed for good from a store over %s', (kind) => {
  const at = useStore(kind);
  const order = (agent = 'gone-1') => firstValueFrom(at.store.purge(agent, ORDERED_AT));

  it('is gone with every record, in index and log, and nothing of another is', {
    timeout: 20_000,
  }, async () => {
    await fill(at.store, 'gone-1', EPOCH);
    await fill(at.store, 'stays-1', OTHER_EPOCH);
    const during = { from: START, to: START + 1e9 };
    const before = {
      ledger: byEpoch(await ledgerOf(at.store, 'stays-1')),
      numbers: await numbersOf(at.store, 'stays-1'),
      anomalies: await anomaliesOf(at.store, { agent: 'stays-1', ...during }),
    };
    const told = firstValueFrom(at.store.purged$);
    expect(await order()).toEqual({
      ts: ORDERED_AT,
      isDone: false,
      counts: { sampled: 702, stored: 452, pending: 150, thinned: 0, dropped: 100 },
    });
    expect(await firstValueFrom(at.store.agent('gone-1')), 'it is not known at once').toBeNull();
    expect(await told).toBe('gone-1');
    expect(await purgeOf(at.store, 'gone-1')).toMatchObject({ isDone: true, counts: { stored: 452 } });
    expect(await ledgerOf(at.store, 'gone-1')).toEqual([]);
    expect(await numbersOf(at.store, 'gone-1')).toMatchObject({ seriesCount: 0, anomalies: { total: 0 } });
    expect(await firstValueFrom(at.store.schemas('gone-1'))).toEqual([]);
    // What was noted of it before it went is written too late.
    await firstValueFrom(at.store.saveEvents({ events: [eventOf('gone-1')], leftOut: 0 }));
    await at.reopen({}, async (storage) => {
      expect(kindsThatName(storage, 'gone-1')).toEqual(['Z']);
      expect(kindsThatName(storage, 'stays-1')).toEqual(expect.arrayContaining([...'ABDEFGILNOSTWX']));
      // Those of the other alone.
      expect(countOf(storage, 'X')).toBe(1);
      expect(countOf(storage, 'L')).toBe(countOf(storage, 'F'));
    });
    expect(await firstValueFrom(at.store.agents())).toMatchObject([{ agent: 'stays-1' }]);
    expect({
      ledger: byEpoch(await ledgerOf(at.store, 'stays-1')),
      numbers: await numbersOf(at.store, 'stays-1'),
      anomalies: await anomaliesOf(at.store, { agent: 'stays-1', ...during }),
    }).toEqual(before);
  });

  it('comes back as a new one, whose ledger says what HQ once held', { timeout: 20_000 }, async () => {
    await fill(at.store, 'gone-1', EPOCH);
    await order();
    await isGone(at.store, 'gone-1');
    for (const again of [async () => {}, at.reopen]) {
      await again();
      expect(
        await firstValueFrom(at.store.epoch('gone-1', EPOCH)),
        'a copy of its journal is told',
      ).toMatchObject({
        run: { instance: 'i1' },
        coverage: { contiguous: 500, ranges: [[551, 600]] },
      });
      expect(await firstValueFrom(at.store.holderOf(EPOCH))).toBe('gone-1');
    }
    // It has released two that HQ never had.
    const note = { agent: 'gone-1', epoch: EPOCH, sampled: 800, released: 502, ts: ORDERED_AT + 1000 };
    expect(await firstValueFrom(at.store.noteEpoch(note))).toEqual({
      coverage: { contiguous: 502, ranges: [[551, 600]] },
      lost: 2,
    });
    expect(await purgeOf(at.store, 'gone-1')).toBeNull();
    await at.append(dataFrame(503, 505, { agent: 'gone-1' }));
    const expected = {
      epoch: EPOCH,
      sampled: 800,
      stored: 3,
      pending: 245,
      dropped: { purged: 550, lost_at_hq: 2 },
      gaps: [
        { firstSeq: 1, lastSeq: 500, reason: 'purged', fromTs: ORDERED_AT, toTs: ORDERED_AT },
        { firstSeq: 501, lastSeq: 502, reason: 'lost_at_hq' },
        { firstSeq: 551, lastSeq: 600, reason: 'purged' },
      ],
    };
    expect(await ledgerOf(at.store, 'gone-1')).toMatchObject([expected]);
    await at.reopen();
    expect(await ledgerOf(at.store, 'gone-1')).toMatchObject([expected]);
    expect((await numbersOf(at.store, 'gone-1')).anomalies.total).toBe(0);
    expect((await firstValueFrom(at.store.labels())).get('gone-1')).toBeUndefined();
  });

  it('that was retired before goes as well, and one that is not known does not', async () => {
    await fill(at.store, 'gone-1', EPOCH);
    await firstValueFrom(at.store.retire('gone-1', START));
    expect(await order()).toMatchObject({ counts: { stored: 452 } });
    await isGone(at.store, 'gone-1');
    expect(await order()).toBeNull();
    expect(await order('never')).toBeNull();
    expect(await purgeOf(at.store, 'never')).toBeNull();
  });
});

describe('the removal of an agent', () => {
  it('goes on over kills after any commit', { timeout: 120_000 }, async () => {
    const home = homes.memory();
    const first = await openStore(await home.open());
    for (let epoch = 1; epoch <= 300; epoch += 1) {
      const of = { agent: 'gone-1', epoch: epoch.toString(16).padStart(12, '0'), lane: 'live' as const };
      await firstValueFrom(first.append([dataFrame(1, 2, of)]));
    }
    await fill(first, 'gone-1', EPOCH);
    await fill(first, 'stays-1', OTHER_EPOCH);
    const before = await ledgerOf(first, 'stays-1');
    const noted = await firstValueFrom(first.purge('gone-1', ORDERED_AT));
    first.close().subscribe().unsubscribe();
    let [kills, isDone] = [0, false];
    for (; !isDone; kills += 1) {
      const { storage, killed } = killedAfter(await home.open(), kills % 5);
      const store = await openStore(storage);
      const now = await purgeOf(store, 'gone-1');
      expect(now).toMatchObject({ counts: noted?.counts });
      expect(await firstValueFrom(store.agent('gone-1'))).toBeNull();
      expect(byEpoch(await ledgerOf(store, 'stays-1'))).toEqual(byEpoch(before));
      isDone = now?.isDone === true;
      if (!isDone) await killed;
      store.close().subscribe().unsubscribe();
    }
    expect(kills).toBeGreaterThan(2);
    const storage = await home.open();
    expect(kindsThatName(storage, 'gone-1')).toEqual(['Z']);
    const store = await openStore(storage);
    expect(await ledgerOf(store, 'gone-1')).toEqual([]);
    expect(await coverageOf(store, 'gone-1', '00000000012c')).toMatchObject({ contiguous: 2 });
    expect(await coverageOf(store, 'gone-1')).toEqual({ contiguous: 500, ranges: [[551, 600]] });
    await closeStore(store);
  });

  it.each(Object.entries(KIND_SCOPES))('leaves nothing of kind %s, which is of: %s', async (kind, scope) => {
    const home = homes.memory();
    const first = await openStore(await home.open());
    for (const agent of ['a', 'a1', 'a10'])
      await firstValueFrom(first.append([dataFrame(1, 2, { agent, epoch: `${agent.padEnd(12, '0')}` })]));
    await closeStore(first);
    const storage = await home.open();
    const keyOf = (agent: string) =>
      Buffer.concat([
        asBuffer(agentRange(kind as KeyKind, agent).from),
        Buffer.alloc(REST_BYTES[kind] ?? 12, 1),
      ]);
    if (scope === 'agent' && kind !== 'A')
      await lastValueFrom(
        storage.commit((writer) => {
          for (const agent of ['a', 'a1', 'a10']) writer.put(keyOf(agent), GAP);
        }),
      );
    const store = await openStore(storage);
    await firstValueFrom(store.purge('a1', START));
    await isGone(store, 'a1');
    const left = (agent: string) =>
      storage.read((reader) => reader.keys({ ...agentRange(kind as KeyKind, agent), limit: 1000 })).length;
    expect(left('a1')).toBe(scope === 'kept' ? 2 : 0);
    // Junk of other kinds may be removed by retention.
    const frames = (agent: string) =>
      storage.read((reader) => reader.keys({ ...agentRange('F', agent), limit: 1000 })).length;
    expect([frames('a') > 0, frames('a10') > 0]).toEqual([true, true]);
    await closeStore(store);
  });

  it('of which nobody was told ends when something comes of the agent', async () => {
    const home = homes.memory();
    const storage = await home.open();
    let isDeaf = false;
    const deaf: Storage = {
      ...storage,
      commit: (work) => {
        const done = storage.commit(work);
        if (!isDeaf) return done;
        isDeaf = false;
        return failing(done);
      },
    };
    const store = await openStore(deaf);
    await firstValueFrom(store.append([dataFrame(1, 20)]));
    isDeaf = true;
    await expect(firstValueFrom(store.purge('a1', START))).rejects.toThrow('unknown');
    await firstValueFrom(store.append([dataFrame(21, 40)]));
    expect(await firstValueFrom(store.agent('a1'))).toMatchObject({ agent: 'a1' });
    expect(await firstValueFrom(store.purgeOf('a1'))).toBeNull();
    await closeStore(store);
    const again = await openStore(await home.open());
    expect(await firstValueFrom(again.purgeOf('a1'))).toBeNull();
    expect(await ledgerOf(again)).toMatchObject([{ stored: 40, dropped: {} }]);
    await closeStore(again);
  });
});
