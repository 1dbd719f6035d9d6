import { beforeEach, describe, expect, it } from 'vitest';
import { watchStorageHealth } from '../../src/hq/storage-health.ts';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.ts';
import { StorageError } from '../../src/storage/storage.ts';
import { type VirtualClock, virtualClock } from './support/virtual-clock.ts';

const FULL = new StorageError('full', 'the disk is full');

describe('the health of the storage', () => {
  let clock: VirtualClock;
  let fault: StorageError | null;
  let health: ReturnType<typeof watchStorageHealth>;
  const commit = () =>
    health.storage
      .commit((writer) => writer.put(Uint8Array.of(1), Uint8Array.of(1)))
      .subscribe({ error: () => {} });
  beforeEach(() => {
    clock = virtualClock();
    fault = null;
    health = watchStorageHealth(createMemoryStorage({ refuseCommit: () => fault }), clock);
  });

  it('is ill from a commit that failed until one succeeds', () => {
    expect(health.failure()).toBeNull();
    fault = FULL;
    commit();
    expect(health.failure()).toBe('full');
    fault = null;
    commit();
    expect(health.failure()).toBeNull();
  });

  it('recovers although nobody sends', () => {
    health.probe$.subscribe();
    fault = FULL;
    commit();
    clock.pass(60_000);
    expect(health.failure()).toBe('full');
    fault = null;
    clock.pass(2_000);
    expect(health.failure()).toBeNull();
  });

  it('writes nothing while the storage is well', () => {
    health.probe$.subscribe();
    commit();
    const { usedBytes } = health.storage.stats();
    clock.pass(60_000);
    expect(health.storage.stats().usedBytes).toBe(usedBytes);
  });

  it('is not ill of work that threw', () => {
    const errors: unknown[] = [];
    health.storage
      .commit(() => {
        throw new Error('no frame');
      })
      .subscribe({ error: (error) => errors.push(error) });
    expect(errors).toHaveLength(1);
    expect(health.failure()).toBeNull();
  });
});
