import { gzipSync } from 'node:zlib';
import { lastValueFrom, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../../tests/support/temporary.ts';
import { file, replay } from './testing/replays.ts';

describe('a file that cannot be read is named, and what it lacks:', () => {
  const rows = Array.from({ length: 5000 }, (_, row) => `${1_700_000_000 + row},${Math.sin(row)}\n`).join('');
  const packed = gzipSync(`time,a\n${rows}`);
  const damaged = Buffer.from(packed);
  damaged.fill(0, packed.length >> 1, (packed.length >> 1) + 40);

  it.each([
    ['cut off', packed.subarray(0, packed.length - 200), 'ends too early'],
    ['cut off within its head', packed.subarray(0, 6), 'ends too early'],
    ['damaged', damaged, 'damaged'],
  ])('compressed and %s', async (_, bytes, reason) => {
    const path = file(bytes);
    const failed = lastValueFrom(replay(path, 'ts=row,speed=max').samples$, { defaultValue: null });
    await expect(failed).rejects.toThrow(new RegExp(`^${path}: .*${reason}`));
  });

  it('a folder', async () => {
    const path = temporaryFolder();
    const failed = lastValueFrom(replay(path, 'ts=row,speed=max').samples$, { defaultValue: null });
    await expect(failed).rejects.toThrow(path);
  });
});

describe('numbers that would be rounded', () => {
  it('cost their value, and are counted by column with advice', async () => {
    const rows = ['1700000000,1,9007199254740992', '1700000001,2,9007199254740993', '1700000002,3,1e300'];
    const path = file(`time,a,big\n${rows.join('\n')}\n`);
    const { samples$, events } = replay(path, 'ts=row,speed=max');
    const samples = await lastValueFrom(samples$.pipe(toArray()));
    expect(samples.map(({ values }) => values)).toEqual([
      [1, 2 ** 53],
      [2, null],
      [3, 1e300],
    ]);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'csv_cells_unreadable', column: 'big', count: 1 }),
    );
    const reason = expect.stringMatching(/^`9007199254740993` would be rounded: .*beyond 2\^53/);
    expect(events).toContainEqual(expect.objectContaining({ type: 'csv_cell_unreadable', line: 3, reason }));
  });
});
