import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { encodeGap, readHeader } from '../../protocol/frame-codec.ts';
import { createMemoryStorage } from '../../storage/memory/memory-storage.ts';
import { closeStore, dataFrame, EPOCH, gapFrame, openStore, START } from './testing/frames.ts';
import { ledgerOf } from './testing/read.ts';

describe('the times of gaps', () => {
  it('shows a gap that grew after a part of it was delivered with the times of each part', async () => {
    const store = await openStore(createMemoryStorage());
    const append = (...frames: ReturnType<typeof dataFrame>[]) => firstValueFrom(store.append(frames));
    const at = (seq: number) => START + seq * 1000;
    // The agent gave up 11 … 15, which HQ has by now, and 16 … 30 besides; then 31 … 40.
    await append(gapFrame(1, 10, 'overflow_oldest'), dataFrame(11, 15), gapFrame(1, 30, 'overflow_oldest'));
    const first = { firstSeq: 1, lastSeq: 10, reason: 'overflow_oldest', fromTs: at(1), toTs: at(10) };
    const second = { firstSeq: 16, lastSeq: 30, reason: 'overflow_oldest', fromTs: at(15), toTs: at(30) };
    expect((await ledgerOf(store))[0]?.gaps).toEqual([first, second]);
    await append(gapFrame(1, 40, 'overflow_oldest'));
    expect((await ledgerOf(store))[0]?.gaps).toEqual([first, { ...second, lastSeq: 40, toTs: at(40) }]);
    // It grows at its front, too: what lies before it was refused.
    await append(gapFrame(61, 70, 'rejected'), dataFrame(56, 60), gapFrame(51, 70, 'rejected'));
    expect((await ledgerOf(store))[0]?.gaps.slice(2)).toEqual([
      { firstSeq: 51, lastSeq: 55, reason: 'rejected', fromTs: at(51), toTs: at(56) },
      { firstSeq: 61, lastSeq: 70, reason: 'rejected', fromTs: at(61), toTs: at(70) },
    ]);
    await closeStore(store);
  });

  it('ends what was lost at HQ where the samples behind it begin, although they come later', async () => {
    const store = await openStore(createMemoryStorage());
    const append = (...frames: ReturnType<typeof dataFrame>[]) => firstValueFrom(store.append(frames));
    const at = (seq: number) => START + seq * 1000;
    const gaps = async () => (await ledgerOf(store))[0]?.gaps;
    const lost = (firstSeq: number, lastSeq: number, [fromTs, toTs]: readonly [number, number]) => ({
      ...{ firstSeq, lastSeq, reason: 'lost_at_hq', fromTs, toTs },
    });
    await append(dataFrame(1, 10));
    const note = { agent: 'a1', epoch: EPOCH, sampled: 50, released: 20, ts: at(50) };
    await firstValueFrom(store.noteEpoch(note));
    expect(await gaps()).toEqual([lost(11, 20, [at(10), at(50)])]);
    // Live first, then the backlog; of 31 … 35 the agent says itself that they are lost, and of what time they were.
    await append(dataFrame(45, 50));
    expect(await gaps()).toEqual([lost(11, 20, [at(10), at(45)])]);
    await append(gapFrame(31, 35, 'lost_at_hq'));
    await append(dataFrame(21, 30));
    await append(dataFrame(36, 44));
    expect(await gaps()).toEqual([lost(11, 20, [at(10), at(21)]), lost(31, 35, [at(31), at(35)])]);
    await closeStore(store);
  });

  it('shows what a wiped HQ has lost as before the first sample that it has', async () => {
    const store = await openStore(createMemoryStorage());
    const at = (seq: number) => START + seq * 1000;
    const note = { agent: 'a1', epoch: EPOCH, sampled: 50, released: 20, ts: at(50) };
    await firstValueFrom(store.noteEpoch(note));
    await firstValueFrom(store.append([dataFrame(21, 50)]));
    expect((await ledgerOf(store))[0]?.gaps).toEqual([
      { firstSeq: 1, lastSeq: 20, reason: 'lost_at_hq', fromTs: at(21), toTs: at(21) },
    ]);
    await closeStore(store);
  });

  it('keeps what an agent knows of the time of what HQ has lost, and is not told by what is around', async () => {
    const store = await openStore(createMemoryStorage());
    const at = (seq: number) => START + seq * 1000;
    const lost = (firstSeq: number, lastSeq: number, [tsMin, tsMax]: readonly [number, number]) => {
      const gap = {
        epoch: EPOCH,
        firstSeq,
        count: lastSeq - firstSeq + 1,
        tsMin,
        tsMax,
        reason: 'lost_at_hq',
      } as const;
      const bytes = encodeGap(gap);
      const frame = {
        agent: 'a1',
        header: readHeader(bytes),
        bytes,
        arrivalTs: at(99),
        lane: 'backlog',
      } as const;
      return firstValueFrom(store.append([frame]));
    };
    await firstValueFrom(store.append([dataFrame(1, 10), dataFrame(41, 50)]));
    await lost(11, 20, [at(12), at(19)]);
    await lost(25, 25, [at(25), at(25)]);
    // That moment is when it found out.
    await lost(31, 40, [at(60), at(60)]);
    expect((await ledgerOf(store))[0]?.gaps).toMatchObject([
      { firstSeq: 11, fromTs: at(12), toTs: at(19) },
      { firstSeq: 25, fromTs: at(25), toTs: at(25) },
      { firstSeq: 31, fromTs: at(25), toTs: at(41) },
    ]);
    await closeStore(store);
  });
});
