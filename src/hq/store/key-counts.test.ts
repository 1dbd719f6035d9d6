import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { createMemoryDisk, createMemoryStorage } from '../../storage/memory/memory-storage.ts';
import { start } from '../testing/started-hq.ts';
import { createKeyCounts } from './key-counts.ts';
import { dedupKey } from './keys.ts';
import { closeStore, delivery, openStore, START, testClock } from './testing/frames.ts';

const TTL_MS = 60_000;

describe('idempotency keys of an agent', () => {
  it('are refused beyond their number, through restarts, and have room again once some have expired', async () => {
    const disk = createMemoryDisk();
    const clock = testClock(START);
    const open = () => openStore(createMemoryStorage({ disk }), { maxKeys: 3, dedupTtlMs: TTL_MS, clock });
    let store = await open();
    const append = async (key: string, options: Parameters<typeof delivery>[1] = {}) => {
      const [outcome] = await firstValueFrom(store.append([delivery(key, options)]));
      return outcome;
    };
    for (const key of ['k1', 'k2', 'k3']) expect(await append(key)).toMatchObject({ stored: 2 });
    const full = { stored: 0, duplicates: 0, keyReusedAt: null, keysFullAt: 'web' };
    expect(await append('k4')).toMatchObject(full);
    expect(await append('k4', { agents: ['other', 'web'] }), 'as a whole').toMatchObject(full);
    expect(await append('k4', { agents: ['other'] })).toMatchObject({ stored: 2, keysFullAt: null });
    expect(await append('k2')).toMatchObject({ stored: 0, duplicates: 2, keysFullAt: null });
    await closeStore(store);

    store = await open();
    // Counted in the background, once those of the start are.
    await eventually(async () => expect(await append('k5', { seqs: [] })).toMatchObject(full));
    await closeStore(store);

    clock.set(START + TTL_MS + 1);
    store = await open();
    const later = { arrivalTs: START + TTL_MS + 1 };
    expect(await append('k1', later), 'expired').toMatchObject({ stored: 2 });
    await eventually(async () => expect(await append('k6', later)).toMatchObject({ keysFullAt: null }));
    await closeStore(store);
  });

  it('are counted once each, whatever comes and goes while they are', async () => {
    const storage = createMemoryStorage();
    const key = (agent: string, n: number) => {
      const hash = Buffer.alloc(16);
      hash.writeUInt32BE(n, 0);
      return dedupKey(agent, hash);
    };
    await firstValueFrom(
      storage.commit((writer) => {
        for (let n = 0; n < 3_000; n += 1) writer.put(key('a', n), Uint8Array.of(1));
        for (let n = 0; n < 3_000; n += 1) writer.put(key('b', n), Uint8Array.of(1));
      }),
    );
    const of = (maxKeys: number) => createKeyCounts({ storage, maxKeys, maxBytes: Number.POSITIVE_INFINITY });
    const counts = of(3_000);
    expect(counts.count()).toBe(true);
    // Of those that have been passed two go and one comes; one that was not comes and goes.
    counts.removed([key('a', 0), key('a', 1)]);
    counts.added([key('a', 1)]);
    counts.added([key('b', 5_000)]);
    counts.removed([key('b', 5_000)]);
    while (counts.count());
    expect(['a', 'b', 'c'].map(counts.isFull)).toEqual([false, true, false]);
    counts.added([key('a', 0)]);
    expect(counts.isFull('a')).toBe(true);
    const inAll = createKeyCounts({ storage, maxKeys: 1e9, maxBytes: 8 * 6_000 * 250 - 1 });
    while (inAll.count());
    expect(inAll.isFull('c')).toBe(true);
  });

  it('too many are answered 429, with what to do', async () => {
    const hq = await start({ limits: { maxIdempotencyKeys: 100 } });
    const deliver = (n: number) =>
      fetch(`${hq.url}/telemetry`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ agent: 'edge', timestamp: 1_700_000_000_000 + n, metrics: { x: n } }),
      });
    for (let n = 0; n < 100; n += 1) expect((await deliver(n)).status).toBe(202);
    const refused = await deliver(100);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({
      type: 'urn:holdfast:problem:too_many_keys',
      detail: expect.stringContaining('limits.maxIdempotencyKeys'),
    });
    expect((await deliver(7)).status, 'a repetition').toBe(202);
  });
});
