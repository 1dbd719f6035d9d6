import { describe, expect, it } from 'vitest';
import { createJournalLimit } from './limit.ts';

const KIB = 1024;
const MIB = 2 ** 20;
const QUOTA = 100 * MIB;

/** A limit on a storage that says whether it is short, and a clock that moves when told. */
function rig({ quotaBytes = QUOTA, footprint = 0, short = false } = {}) {
  const world = { short, ms: 5_000 };
  const clock = { precise: () => world.ms };
  return { world, limit: createJournalLimit({ quotaBytes, clock, isShort: () => world.short, footprint }) };
}

describe('the limit of a journal', () => {
  it('is the quota while the disk has room for it', () => {
    const { limit, world } = rig({ footprint: 40 * MIB });
    world.ms += 60_000;
    expect(limit.raise()).toBe(false);
    expect(limit.isLowered()).toBe(false);
    expect(limit.bytes()).toBe(QUOTA);
  });

  it.each([
    ['a twentieth', 80 * MIB, 76 * MIB],
    ['no more than one commit removes in little time', 1024 * MIB, 1008 * MIB],
    ['enough for a while, of a small one', 2 * MIB, 2 * MIB - 256 * KIB],
    ['a quarter at most, of a smaller one', 400 * KIB, 300 * KIB],
    ['nothing of the last 32 KiB', 33 * KIB, 32 * KIB],
    ['nothing of an empty one', 0, 32 * KIB],
  ])('has a trim remove %s', (_, footprint, target) => {
    const { limit } = rig({ quotaBytes: 2048 * MIB });
    expect(limit.targetFor(footprint)).toBe(target);
    expect(limit.isLowered(), 'asking lowers nothing').toBe(false);
  });

  it.each([
    ['a tenth', 80 * MIB, 88 * MIB],
    ['64 KiB', 400 * KIB, 464 * KIB],
  ])('leaves a margin of %s while thinning makes room, within the quota', (_, footprint, target) => {
    expect(rig({ quotaBytes: 2048 * MIB }).limit.marginFor(footprint)).toBe(target);
    expect(rig({ quotaBytes: footprint }).limit.marginFor(footprint)).toBe(footprint);
  });

  it('never goes beyond the quota, also where that is tiny or smaller than what there is', () => {
    expect(rig({ quotaBytes: 64 * KIB }).limit.targetFor(10 * MIB)).toBe(64 * KIB);
    expect(rig({ quotaBytes: 16 * KIB }).limit.targetFor(20 * KIB)).toBe(16 * KIB);
    expect(rig({ quotaBytes: 64 * KIB, footprint: 10 * MIB, short: true }).limit.bytes()).toBe(64 * KIB);
  });

  it('is what the last trim came down to', () => {
    const { limit } = rig();
    limit.noteTrimmed(40 * MIB);
    expect(limit.isLowered()).toBe(true);
    expect(limit.bytes()).toBe(40 * MIB);
    limit.noteTrimmed(38 * MIB);
    expect(limit.bytes()).toBe(38 * MIB);
  });

  it('is the quota again as soon as a storage that was short is so no more, and not before', () => {
    const { limit, world } = rig();
    world.short = true;
    limit.noteTrimmed(40 * MIB);
    world.ms += 3_600_000;
    expect(limit.raise()).toBe(false);
    expect(limit.bytes()).toBe(40 * MIB);
    world.short = false;
    expect(limit.raise()).toBe(true);
    expect(limit.isLowered()).toBe(false);
    expect(limit.bytes()).toBe(QUOTA);
    expect(limit.raise(), 'once').toBe(false);
  });

  it('is the quota again ten seconds after the last trim where the storage cannot tell', () => {
    const { limit, world } = rig();
    limit.noteTrimmed(40 * MIB);
    world.ms += 9_999;
    expect(limit.raise()).toBe(false);
    limit.noteTrimmed(38 * MIB);
    world.ms += 9_999;
    expect(limit.raise()).toBe(false);
    expect(limit.bytes()).toBe(38 * MIB);
    world.ms += 1;
    expect(limit.raise()).toBe(true);
    expect(limit.bytes()).toBe(QUOTA);
  });

  it('needs no patience with a storage that was seen to be short after the trim', () => {
    const { limit, world } = rig();
    limit.noteTrimmed(40 * MIB);
    world.short = true;
    expect(limit.raise()).toBe(false);
    world.short = false;
    expect(limit.raise()).toBe(true);
  });

  it('forgets that the storage was short once it is the quota again', () => {
    const { limit, world } = rig();
    world.short = true;
    limit.noteTrimmed(40 * MIB);
    world.short = false;
    expect(limit.raise()).toBe(true);
    limit.noteTrimmed(30 * MIB);
    expect(limit.raise()).toBe(false);
    world.ms += 10_000;
    expect(limit.raise()).toBe(true);
  });

  it('begins with what there is, 32 KiB at least, on a storage that is short from the start', () => {
    const { limit, world } = rig({ footprint: 7 * MIB, short: true });
    expect(limit.isLowered()).toBe(true);
    expect(limit.bytes()).toBe(7 * MIB);
    world.ms += 3_600_000;
    expect(limit.raise()).toBe(false);
    world.short = false;
    expect(limit.raise()).toBe(true);
    expect(limit.bytes()).toBe(QUOTA);
    expect(rig({ short: true }).limit.bytes()).toBe(32 * KIB);
  });
});
