import { lastValueFrom, Subject, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { LabelRecord } from '../../protocol/labels.ts';
import { createLabelKeeper } from './label-keeper.ts';

type Changes = ReadonlyMap<string, LabelRecord | null>;

/** A store whose commits end when the test says so. */
function heldStore() {
  const stored = new Map<string, LabelRecord>();
  const waiting: { readonly changes: Changes; readonly done: Subject<void> }[] = [];
  return {
    stored,
    waiting,
    save: (changes: Changes) => {
      const done = new Subject<void>();
      waiting.push({ changes, done });
      return done;
    },
    /** The oldest that waits. */
    end: (error?: Error) => {
      const next = waiting.shift();
      if (next === undefined) throw new Error('nothing is being written');
      if (error !== undefined) next.done.error(error);
      else {
        for (const [agent, record] of next.changes) {
          if (record === null) stored.delete(agent);
          else stored.set(agent, record);
        }
        next.done.complete();
      }
    },
  };
}

describe('labels of agents', () => {
  it('are written when an agent tells others, and count at once', () => {
    const store = heldStore();
    const keeper = createLabelKeeper(store.save, new Map());
    keeper.told('a1', { site: 'nord' });
    expect(keeper.of('a1')).toEqual({ site: 'nord' });
    store.end();
    keeper.told('a1', { site: 'nord' });
    expect(store.waiting).toEqual([]);
    expect(store.stored.get('a1')).toEqual({ told: { site: 'nord' }, set: {} });
    keeper.told('a1', {});
    store.end();
    expect(store.stored).toEqual(new Map());
    expect(keeper.of('a1')).toEqual({});
  });

  it('that HQ sets count once they are durable, and not when they cannot be written', async () => {
    const store = heldStore();
    const keeper = createLabelKeeper(store.save, new Map([['a1', { told: { site: 'nord' }, set: {} }]]));
    const saved = lastValueFrom(keeper.set('a1', { site: 'west', rack: '7' }), { defaultValue: 'saved' });
    expect(keeper.of('a1')).toEqual({ site: 'nord' });
    store.end();
    expect(await saved).toBe('saved');
    expect(keeper.of('a1')).toEqual({ rack: '7', site: 'west' });

    const failing = createLabelKeeper(() => throwError(() => new Error('full')), new Map());
    await expect(lastValueFrom(failing.set('a1', { site: 'west' }))).rejects.toThrow('full');
    expect(failing.record('a1')).toEqual({ told: {}, set: {} });
  });

  it('outlast a hello that comes while they are written, and a write before them that is tried again', () => {
    const store = heldStore();
    const keeper = createLabelKeeper(store.save, new Map());
    keeper.told('a1', { site: 'nord' });
    store.end(new Error('full'));
    keeper.set('a1', { rack: '7' }).subscribe();
    keeper.told('a1', { site: 'sued' });
    while (store.waiting.length > 0) store.end();
    keeper.retry();
    while (store.waiting.length > 0) store.end();
    const record = { told: { site: 'sued' }, set: { rack: '7' } };
    expect(store.stored.get('a1')).toEqual(record);
    expect(keeper.record('a1')).toEqual(record);
  });
});
