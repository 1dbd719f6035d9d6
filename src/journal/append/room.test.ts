import { lastValueFrom, toArray, VirtualTimeScheduler } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import { eventually } from '../../../tests/support/eventually.ts';
import { type Clock, createSystemClock } from '../../platform/clock.ts';
import { systemIds } from '../../platform/ids.ts';
import { createMemoryDisk, createMemoryStorage } from '../../storage/memory/memory-storage.ts';
import { StorageError } from '../../storage/storage.ts';
import { openJournal } from '../journal.ts';
import { LEDGER_KEY } from '../keys.ts';
import { ackedSamples, decodeLedger, type Ledger } from '../ledger.ts';
import type { OverflowPolicy } from '../port.ts';
import { noisySamples } from '../testing/test-samples.ts';
import { createRoomKeeper } from './room.ts';

const QUOTA = 2 ** 20;
const SAMPLES = 4_000;
const FLUSH_MS = 20;
const FULL = new StorageError('full', 'no space left');

/**
 * A journal of some 400 KiB on a disk that says whether it is short, refuses commits when told, and takes 20 ms for
 * each.
 */
async function rig({ policy = 'drop-oldest' as OverflowPolicy, short = false } = {}) {
  const scheduler = new VirtualTimeScheduler();
  const clock: Clock = {
    now: () => 1_700_000_000_000 + scheduler.frame,
    mono: () => scheduler.frame,
    precise: () => scheduler.frame,
    bootId: 'virtual',
    scheduler,
  };
  const disk = createMemoryDisk();
  const journal = await lastValueFrom(
    openJournal({
      storage: createMemoryStorage({ disk }),
      clock,
      ids: systemIds,
      policy: 'drop-oldest',
      maxBytes: QUOTA,
    }),
  );
  for (let first = 1; first <= SAMPLES; first += 50) {
    await lastValueFrom(journal.append(noisySamples(first, 50)));
  }

  const world = { short, refuse: null as StorageError | null, commits: 0 };
  const storage = createMemoryStorage({
    disk,
    commitDelayMs: FLUSH_MS,
    scheduler,
    refuseCommit: () => {
      world.commits += 1;
      return world.refuse;
    },
  });
  const ledgerNow = (): Ledger => {
    const ledger = decodeLedger(storage.read((reader) => reader.get(LEDGER_KEY)));
    if (ledger === null) throw new Error('no ledger');
    return ledger;
  };
  const { footprint } = ledgerNow();
  const lowered: number[] = [];
  const trimmed: Ledger[] = [];
  const raised: number[] = [];
  const keeper = createRoomKeeper({
    storage: { commit: storage.commit, isShort: () => world.short },
    clock,
    policy,
    quotaBytes: QUOTA,
    footprint: () => ledgerNow().footprint,
    onLowered: () => lowered.push(scheduler.frame),
    onTrimmed: (ledger) => trimmed.push(ledger),
    onRaised: () => raised.push(scheduler.frame),
  });
  let time = 0;
  const pass = (ms: number) => {
    time += ms;
    scheduler.maxFrames = time;
    scheduler.flush();
    scheduler.frame = time;
  };
  return {
    keeper,
    world,
    ledgerNow,
    footprint,
    lowered,
    trimmed,
    raised,
    pass,
    timers: () => scheduler.actions.length,
  };
}

describe('the room keeper', () => {
  it('answers a full disk with one trim of the oldest, and keeps to what is left', async () => {
    const { keeper, world, ledgerNow, footprint, trimmed, pass } = await rig();
    expect(keeper.limitBytes()).toBe(QUOTA);
    keeper.noteFailed(FULL);
    keeper.noteFailed(FULL);
    expect(keeper.isDiskFull(), 'not before the trim is durable').toBe(false);
    pass(FLUSH_MS);
    expect(world.commits).toBe(1);
    expect(trimmed).toEqual([ledgerNow()]);
    const ledger = ledgerNow();
    const dropped = ledger.dropped.overflow_oldest ?? 0;
    expect(dropped).toBeGreaterThan(0);
    expect(ledger).toMatchObject({
      sampled: SAMPLES,
      pending: SAMPLES - dropped,
      dropped: { overflow_oldest: dropped },
      oldest: { seq: dropped + 1 },
    });
    expect(ackedSamples(ledger)).toBe(0);
    expect(keeper.isDiskFull()).toBe(true);
    // A quarter of a small journal.
    expect(keeper.limitBytes()).toBe(Math.floor(footprint * 0.75));
    expect(ledger.footprint).toBeLessThanOrEqual(keeper.limitBytes());
    expect(ledger.footprint).toBeGreaterThan(keeper.limitBytes() - 8 * 1024);
    keeper.end();
  });

  it.each(['a commit that failed', 'a commit on the last reserve'])(
    'under thin: lowers the limit after %s, so that thinning makes room, and drops only when that was not enough',
    async (what) => {
      const { keeper, world, ledgerNow, footprint, lowered, trimmed, pass } = await rig({ policy: 'thin' });
      const before = ledgerNow();
      world.short = what !== 'a commit that failed';
      if (world.short) keeper.noteCommitted();
      else keeper.noteFailed(FULL);
      expect(keeper.isDiskFull()).toBe(true);
      expect(keeper.limitBytes()).toBe(footprint + 64 * 1024);
      expect(lowered).toHaveLength(1);
      keeper.noteCommitted();
      pass(2_900);
      keeper.noteFailed(FULL);
      pass(99);
      expect(world.commits).toBe(0);
      expect(ledgerNow()).toEqual(before);
      pass(1);
      keeper.noteFailed(FULL);
      pass(FLUSH_MS);
      expect(trimmed).toEqual([ledgerNow()]);
      expect(keeper.limitBytes()).toBe(Math.floor(footprint * 0.75));
      expect(lowered).toHaveLength(1);
      keeper.end();
    },
  );

  it('trims again, further down, when that was not enough', async () => {
    const { keeper, world, ledgerNow, trimmed, pass } = await rig();
    keeper.noteFailed(FULL);
    pass(FLUSH_MS);
    const first = ledgerNow();
    keeper.noteFailed(FULL);
    pass(FLUSH_MS);
    expect(world.commits).toBe(2);
    expect(trimmed).toHaveLength(2);
    expect(ledgerNow().footprint).toBeLessThan(first.footprint);
    expect(keeper.limitBytes()).toBe(Math.floor(first.footprint * 0.75));
    keeper.end();
  });

  it.each(['drop-newest', 'block'] as const)(
    'under %s: gives up nothing, and keeps to what there is',
    async (policy) => {
      const { keeper, ledgerNow, footprint, trimmed, pass } = await rig({ policy });
      const before = ledgerNow();
      keeper.noteFailed(FULL);
      pass(FLUSH_MS);
      expect(trimmed).toEqual([before]);
      expect(ledgerNow()).toEqual(before);
      expect(keeper.isDiskFull()).toBe(true);
      expect(keeper.limitBytes()).toBe(footprint);
      keeper.end();
    },
  );

  it('makes room after a commit that got through on the last reserve, once', async () => {
    const { keeper, world, pass } = await rig();
    keeper.noteCommitted();
    pass(FLUSH_MS);
    expect(world.commits, 'there is room').toBe(0);
    world.short = true;
    keeper.noteCommitted();
    pass(FLUSH_MS);
    expect(world.commits).toBe(1);
    keeper.noteCommitted();
    pass(FLUSH_MS);
    expect(world.commits).toBe(1);
    keeper.end();
  });

  it('answers nothing but a full disk', async () => {
    const { keeper, world, pass } = await rig();
    keeper.noteFailed(new StorageError('io', 'broken'));
    keeper.noteFailed(new Error('another'));
    pass(FLUSH_MS);
    expect(world.commits).toBe(0);
    expect(keeper.isDiskFull()).toBe(false);
  });

  it('gives up nothing by a trim that fails, and tries again after the next failure', async () => {
    const { keeper, world, ledgerNow, footprint, trimmed, pass, timers } = await rig();
    const before = ledgerNow();
    world.refuse = FULL;
    keeper.noteFailed(FULL);
    pass(FLUSH_MS);
    expect(world.commits).toBe(1);
    expect(trimmed).toEqual([]);
    expect(ledgerNow()).toEqual(before);
    expect(keeper.isDiskFull()).toBe(false);
    expect(keeper.limitBytes()).toBe(QUOTA);
    expect(timers()).toBe(0);
    pass(60_000);
    expect(world.commits, 'not by itself').toBe(1);
    world.refuse = null;
    keeper.noteFailed(FULL);
    pass(FLUSH_MS);
    expect(world.commits).toBe(2);
    expect(trimmed).toHaveLength(1);
    expect(keeper.limitBytes()).toBe(Math.floor(footprint * 0.75));
    keeper.end();
  });

  it('goes back to the quota within a second of there being room, and stops looking', async () => {
    const { keeper, world, raised, pass, timers } = await rig();
    world.short = true;
    keeper.noteFailed(FULL);
    pass(FLUSH_MS);
    pass(60_000);
    expect(raised).toEqual([]);
    expect(keeper.isDiskFull()).toBe(true);
    world.short = false;
    pass(1_000);
    expect(raised).toHaveLength(1);
    expect(keeper.isDiskFull()).toBe(false);
    expect(keeper.limitBytes()).toBe(QUOTA);
    expect(timers()).toBe(0);
    pass(60_000);
    expect(raised).toHaveLength(1);
  });

  it('goes back to the quota some time after the last trim where the storage cannot tell', async () => {
    const { keeper, raised, pass } = await rig();
    keeper.noteFailed(FULL);
    pass(FLUSH_MS);
    pass(9_000);
    expect(raised).toEqual([]);
    pass(1_000);
    expect(raised).toEqual([FLUSH_MS + 10_000]);
  });

  it('begins with what there is, and looks for room, on a disk that is short from the start', async () => {
    const { keeper, world, footprint, raised, pass } = await rig({ short: true });
    expect(keeper.isDiskFull()).toBe(true);
    expect(keeper.limitBytes()).toBe(footprint);
    pass(5_000);
    expect(world.commits, 'nothing has to be removed').toBe(0);
    world.short = false;
    pass(1_000);
    expect(raised).toHaveLength(1);
    expect(keeper.limitBytes()).toBe(QUOTA);
  });

  it('leaves thinning some room and time on a disk that is short from the start', async () => {
    const { keeper, world, footprint, pass } = await rig({ policy: 'thin', short: true });
    expect(keeper.limitBytes()).toBe(footprint + 64 * 1024);
    keeper.noteFailed(FULL);
    pass(2_999);
    expect(world.commits).toBe(0);
    pass(1);
    keeper.noteFailed(FULL);
    pass(FLUSH_MS);
    expect(world.commits).toBe(1);
    keeper.end();
  });

  it.each([
    ['while it looks for room', FLUSH_MS],
    ['while a trim is under way', 0],
  ])('leaves no timer when it ends %s', async (_, ms) => {
    const { keeper, world, raised, pass, timers } = await rig();
    world.short = true;
    keeper.noteFailed(FULL);
    pass(ms);
    expect(timers()).toBeGreaterThan(0);
    keeper.end();
    pass(FLUSH_MS);
    expect(timers()).toBe(0);
    world.short = false;
    pass(60_000);
    expect(raised).toEqual([]);
  });
});

it('under block takes an append larger than the whole quota when it is empty, also in several frames', async () => {
  const journal = await lastValueFrom(
    openJournal({
      storage: createMemoryStorage({ disk: createMemoryDisk() }),
      clock: createSystemClock(),
      ids: systemIds,
      policy: 'block',
      maxBytes: 300 * 1024,
    }),
  );
  const appended = await lastValueFrom(journal.append(noisySamples(1, 4_096)).pipe(toArray()));
  expect(appended.length).toBeGreaterThan(1);
  expect(appended.map(({ kind }) => kind)).toEqual(appended.map(() => 'committed'));
  const blocked = vi.fn();
  const waiting = journal.append(noisySamples(5_000, 1)).subscribe({ next: blocked });
  await lastValueFrom(journal.release({ contiguous: 0, ranges: [] }), { defaultValue: null });
  expect(blocked).not.toHaveBeenCalled();
  await lastValueFrom(journal.release({ contiguous: 4_096, ranges: [] }), { defaultValue: null });
  await eventually(() => expect(blocked).toHaveBeenCalledOnce());
  waiting.unsubscribe();
});
