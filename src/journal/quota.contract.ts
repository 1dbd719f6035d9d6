/** What a journal promises when its quota is reached. */
import { expect } from 'vitest';
import { eventually } from '../../tests/support/eventually.ts';
import type { JournalPromises } from './testing/contract-rig.ts';
import { allPending, spans, upTo } from './testing/pending.ts';
import { noisySamples } from './testing/test-samples.ts';

export const QUOTA_PROMISES: JournalPromises = {
  'drops the oldest and leaves one gap': async (rig) => {
    await rig.reopen({ maxBytes: 65_536 });
    const sampled = await rig.fill();
    expect(sampled).toBeGreaterThan(400);
    for (let n = 0; n < 20; n += 1) await rig.appendNoisy(sampled + n * 20 + 1, 20);
    const frames = await allPending(rig.journal);
    const [gap, ...rest] = spans(frames);
    const dropped = rig.journal.stats().dropped.overflow_oldest ?? 0;
    expect(dropped).toBeGreaterThanOrEqual(400);
    expect(gap).toBe(`gap 1-${dropped}`);
    expect(rest.every((span) => span.startsWith('data'))).toBe(true);
    expect(rig.journal.stats()).toMatchObject({ sampled: sampled + 400, pending: sampled + 400 - dropped });
    expect(rig.journal.stats().pendingBytes).toBeLessThan(65_536);
    await rig.release(upTo(dropped));
    expect(rig.journal.stats()).toMatchObject({ acked: 0, released: dropped });
  },
  'counts only unacked seqs of a dropped frame': async (rig) => {
    await rig.appendNoisy(1, 20);
    await rig.appendNoisy(21, 20);
    await rig.release(upTo(0, [[5, 8]]));
    await rig.reopen({ maxBytes: 65_536 });
    for (let n = 0; (rig.journal.stats().dropped.overflow_oldest ?? 0) < 16 && n < 1000; n += 1) {
      await rig.appendNoisy(41 + n * 20, 20);
    }
    expect(rig.journal.stats()).toMatchObject({ acked: 4, dropped: { overflow_oldest: 16 } });
    expect(spans(await allPending(rig.journal, { limit: 2 }))).toEqual(['gap 1-4', 'gap 9-20']);
  },
  'drops the newest: they get seqs and one gap': async (rig) => {
    await rig.reopen({ maxBytes: 65_536, policy: 'drop-newest' });
    const sampled = await rig.fill();
    const outcome = await rig.appendNoisy(sampled + 1, 20);
    expect(outcome.kind).toBe('dropped');
    const frames = await allPending(rig.journal, { order: 'newest', limit: 1 });
    expect(spans(frames)).toEqual([`gap ${sampled - 19}-${sampled + 20}`]);
    expect(rig.journal.stats()).toMatchObject({ dropped: { overflow_newest: 40 }, overflowing: true });
    expect(spans(await allPending(rig.journal, { limit: 1 }))).toEqual(['data 1-20']);
    await rig.release(upTo(sampled - 100));
    expect(await rig.appendNoisy(sampled + 21, 20)).toMatchObject({ kind: 'committed' });
  },
  'blocks until there is room, in order': async (rig) => {
    await rig.reopen({ maxBytes: 65_536, policy: 'block' });
    const done: number[] = [];
    const start = (first: number, count: number) =>
      rig.journal.append(noisySamples(first, count)).subscribe(({ frame }) => done.push(frame.firstSeq));
    let n = 1;
    for (; !rig.journal.stats().overflowing && n < 5000; n += 20) {
      start(n, 20);
      // A commit of its own: what was subscribed before has been decided when it ends.
      await rig.release(upTo(0));
    }
    expect(rig.journal.stats().overflowing).toBe(true);
    const waiting = n - 20;
    start(n, 1);
    await rig.release(upTo(0));
    expect(done).not.toContain(waiting);
    await rig.release(upTo(200));
    await eventually(() => expect(done.slice(-2)).toEqual([waiting, waiting + 20]));
    expect(rig.journal.stats()).toMatchObject({ dropped: {}, sampled: n });
  },
};
