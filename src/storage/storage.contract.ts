/** What every Storage promises, as tests. Run it on each implementation. */
import fc from 'fast-check';
import { firstValueFrom, forkJoin, lastValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Damage, type RangeQuery, type Reader, type Storage, StorageError } from './storage.ts';

export type StorageHarness = {
  readonly open: () => Promise<Storage>;
  /** Flips a bit of the stored value at `key` while the storage is closed. */
  readonly damage: (key: Uint8Array) => void;
  readonly dispose: () => void;
};

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString();
const ALL = { from: new Uint8Array(0), to: Uint8Array.of(255, 255, 255), limit: Number.POSITIVE_INFINITY };
const contentOf = (reader: Reader, query: Partial<RangeQuery> = {}) =>
  reader.range({ ...ALL, ...query }).map(({ key, value }) => [text(key), text(value)]);
const put = (storage: Storage, entries: Readonly<Record<string, string>>) =>
  lastValueFrom(
    storage.commit((writer) => {
      for (const [key, value] of Object.entries(entries)) writer.put(bytes(key), bytes(value));
    }),
  );
const close = (storage: Storage) => lastValueFrom(storage.close(), { defaultValue: undefined });

/** One storage under test; `storage` is the one that is open. */
type Rig = { readonly harness: StorageHarness; storage: Storage; readonly reopen: () => Promise<void> };

async function createRig(harness: StorageHarness): Promise<Rig> {
  const rig: Rig = {
    harness,
    storage: await harness.open(),
    reopen: async () => {
      await close(rig.storage);
      rig.storage = await harness.open();
    },
  };
  return rig;
}

export function describeStorageContract(name: string, createHarness: () => StorageHarness): void {
  describe(`${name} keeps the storage contract`, () => {
    let rig: Rig;
    beforeEach(async () => {
      rig = await createRig(createHarness());
    });
    afterEach(async () => {
      await close(rig.storage);
      rig.harness.dispose();
    });
    for (const [promise, holds] of Object.entries(PROMISES)) it(promise, () => holds(rig));
  });
}

const PROMISES: Readonly<Record<string, (rig: Rig) => Promise<void>>> = {
  'gives back what was committed, also after reopening': async (rig) => {
    await put(rig.storage, { a: 'one', b: 'two' });
    expect(rig.storage.read((reader) => text(reader.get(bytes('a'))))).toBe('one');
    await rig.reopen();
    expect(rig.storage.read(contentOf)).toEqual([
      ['a', 'one'],
      ['b', 'two'],
    ]);
    expect(rig.storage.read((reader) => reader.get(bytes('c')))).toBeUndefined();
  },
  'emits the result of the work once, then completes': async (rig) => {
    const results: unknown[] = [];
    await new Promise<void>((resolve, reject) => {
      rig.storage
        .commit(() => 42)
        .subscribe({
          next: (value) => results.push(value),
          error: reject,
          complete: resolve,
        });
    });
    expect(results).toEqual([42]);
  },
  'does nothing before it is subscribed, and works again at each subscription': async (rig) => {
    let runs = 0;
    const commit$ = rig.storage.commit((writer) => {
      runs += 1;
      writer.put(bytes('n'), bytes(String(runs)));
    });
    expect(runs).toBe(0);
    await lastValueFrom(commit$);
    await lastValueFrom(commit$);
    expect(rig.storage.read((reader) => text(reader.get(bytes('n'))))).toBe('2');
  },
  'runs commits in the order of subscription, each seeing the earlier ones': async (rig) => {
    const append = (letter: string) =>
      rig.storage.commit((writer) => {
        const before = text(writer.get(bytes('word'))) ?? '';
        writer.put(bytes('word'), bytes(before + letter));
        return before + letter;
      });
    const words = await lastValueFrom(forkJoin([...'holdfast'].map(append)));
    expect(words.at(-1)).toBe('holdfast');
    expect(words[2]).toBe('hol');
  },
  'drops what a throwing work did, and only that': async (rig) => {
    const [before, failed, after] = await Promise.allSettled([
      put(rig.storage, { a: '1' }),
      lastValueFrom(
        rig.storage.commit((writer) => {
          writer.put(bytes('a'), bytes('wrong'));
          writer.put(bytes('b'), bytes('wrong'));
          throw new Error('changed my mind');
        }),
      ),
      put(rig.storage, { c: '3' }),
    ]);
    expect([before.status, after.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(failed).toMatchObject({ status: 'rejected', reason: { message: 'changed my mind' } });
    expect(rig.storage.read(contentOf)).toEqual([
      ['a', '1'],
      ['c', '3'],
    ]);
  },
  'bounds ranges: lower inclusive, upper exclusive, both directions, by limit': async (rig) => {
    await put(rig.storage, { a: '1', b: '2', c: '3', d: '4' });
    const keys = (query: Partial<RangeQuery>) =>
      rig.storage.read((reader) => reader.keys({ ...ALL, ...query }).map(text));
    expect(keys({ from: bytes('b'), to: bytes('d') })).toEqual(['b', 'c']);
    expect(keys({ from: bytes('b'), to: bytes('d'), reverse: true })).toEqual(['c', 'b']);
    expect(keys({ to: bytes('cc'), reverse: true, limit: 1 })).toEqual(['c']);
    expect(keys({ limit: 3 })).toEqual(['a', 'b', 'c']);
    expect(keys({ from: bytes('c'), to: bytes('b') })).toEqual([]);
    expect(keys({ limit: 0 })).toEqual([]);
  },
  'hands out bytes that stay as they are': async (rig) => {
    await put(rig.storage, { a: 'first' });
    const [read, ranged] = rig.storage.read((reader) => [
      reader.get(bytes('a')),
      reader.range(ALL)[0]?.value,
    ]);
    await put(rig.storage, { a: 'other', b: 'x'.repeat(5000) });
    rig.storage.read((reader) => reader.range(ALL));
    expect([text(read), text(ranged)]).toEqual(['first', 'first']);
    const now = () => rig.storage.read((reader) => reader.get(bytes('a')));
    now()?.fill(0);
    expect(text(now())).toBe('other');
  },
  'takes a copy of what is put': async (rig) => {
    const value = Buffer.from('mine');
    const commit = lastValueFrom(
      rig.storage.commit((writer) => {
        writer.put(bytes('a'), value);
        value.fill(0);
      }),
    );
    await commit;
    expect(rig.storage.read((reader) => text(reader.get(bytes('a'))))).toBe('mine');
  },
  'keeps values of 256 KiB and more, and empty ones': async (rig) => {
    const large = Uint8Array.from({ length: 300_000 }, (_, index) => index % 251);
    await lastValueFrom(
      rig.storage.commit((writer) => {
        writer.put(bytes('large'), large);
        writer.put(bytes('empty'), new Uint8Array(0));
      }),
    );
    await rig.reopen();
    const read = rig.storage.read((reader) => reader.get(bytes('large')));
    expect(Buffer.compare(read ?? Buffer.alloc(0), large)).toBe(0);
    expect(rig.storage.read((reader) => reader.get(bytes('empty'))?.length)).toBe(0);
  },
  'tells its size, which falls when records go': async (rig) => {
    const value = 'x'.repeat(20_000);
    await put(
      rig.storage,
      Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, value])),
    );
    const full = rig.storage.stats();
    expect(full.usedBytes).toBeGreaterThan(1_000_000);
    expect(full.fileBytes).toBeGreaterThanOrEqual(full.usedBytes);
    await rig.reopen();
    expect(rig.storage.stats().usedBytes).toBe(full.usedBytes);
    await lastValueFrom(
      rig.storage.commit((writer) => {
        for (const key of writer.keys(ALL)) writer.remove(key);
      }),
    );
    expect(rig.storage.stats().usedBytes).toBeLessThan(100_000);
  },
  'reports a damaged value and never returns it': async (rig) => {
    await put(rig.storage, { a: 'good', b: 'flip me, please: zebra', c: 'good' });
    await close(rig.storage);
    rig.harness.damage(bytes('b'));
    rig.storage = await rig.harness.open();
    expect(rig.storage.read((reader) => reader.get(bytes('b')))).toBeUndefined();
    expect(rig.storage.read(contentOf)).toEqual([
      ['a', 'good'],
      ['c', 'good'],
    ]);
    const damage: Damage = await firstValueFrom(rig.storage.damage$);
    expect(damage).toMatchObject({ what: 'record', quarantine: null });
    expect(text(damage.key ?? undefined)).toBe('b');
    await put(rig.storage, { b: 'mended' });
    expect(rig.storage.read((reader) => text(reader.get(bytes('b'))))).toBe('mended');
  },
  'refuses to work after it was closed': async (rig) => {
    await close(rig.storage);
    expect(() => rig.storage.read((reader) => reader.get(bytes('a')))).toThrow(StorageError);
    await expect(put(rig.storage, { a: '1' })).rejects.toMatchObject({ code: 'closed' });
  },
  'finishes running commits before it closes': async (rig) => {
    const commits = Promise.all([put(rig.storage, { a: '1' }), put(rig.storage, { b: '2' })]);
    await close(rig.storage);
    await commits;
    rig.storage = await rig.harness.open();
    expect(rig.storage.read(contentOf)).toHaveLength(2);
  },
  'behaves like a sorted map, whatever is done to it': async (rig) => {
    const key = fc.uint8Array({ minLength: 1, maxLength: 3 }).map((array) => Buffer.from(array));
    const change = fc.record({ key, value: fc.option(fc.uint8Array({ maxLength: 40 }), { nil: null }) });
    const query = fc.record({ from: key, to: key, reverse: fc.boolean(), limit: fc.nat({ max: 6 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.array(change, { maxLength: 6 }), query), { maxLength: 6 }),
        async (steps) => {
          const model = new Map<string, Uint8Array>();
          await lastValueFrom(
            rig.storage.commit((writer) => {
              for (const old of writer.keys(ALL)) writer.remove(old);
            }),
          );
          for (const [changes, asked] of steps) {
            const within = await lastValueFrom(
              rig.storage.commit((writer) => {
                for (const { key: changed, value } of changes) {
                  if (value === null) writer.remove(changed);
                  else writer.put(changed, value);
                }
                return writer.range(asked);
              }),
            );
            for (const { key: changed, value } of changes) {
              if (value === null) model.delete(changed.toString('latin1'));
              else model.set(changed.toString('latin1'), value);
            }
            const expected = modelRange(model, asked);
            expect(within.map(plain)).toEqual(expected);
            expect(rig.storage.read((reader) => reader.range(asked)).map(plain)).toEqual(expected);
          }
        },
      ),
      { numRuns: 60 },
    );
  },
};

function plain({ key, value }: { key: Uint8Array; value: Uint8Array }): [string, string] {
  return [Buffer.from(key).toString('latin1'), Buffer.from(value).toString('latin1')];
}

function modelRange(model: ReadonlyMap<string, Uint8Array>, query: RangeQuery): [string, string][] {
  const [from, to] = [query.from, query.to].map((key) => Buffer.from(key).toString('latin1'));
  const keys = [...model.keys()].filter((key) => key >= (from ?? '') && key < (to ?? '')).sort();
  if (query.reverse === true) keys.reverse();
  return keys.slice(0, query.limit).map((key) => [key, Buffer.from(model.get(key) ?? []).toString('latin1')]);
}
