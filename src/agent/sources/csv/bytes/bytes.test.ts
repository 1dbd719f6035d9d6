/** Files in other forms than UTF-8 with line feeds give the same samples. */
import { tmpdir } from 'node:os';
import { gzipSync } from 'node:zlib';
import { lastValueFrom, of, takeWhile, tap, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { rowCount } from '../../../../protocol/sample-block.ts';
import { file, replay } from '../testing/replays.ts';

const ROWS = 20_000;
const TEXT = `time,größe,b\n${Array.from({ length: ROWS }, (_, row) => `${1_700_000_000 + row},${row},"${row % 7}"\n`).join('')}`;

function utf16(text: string, isBigEndian: boolean, mark: string): Buffer {
  const bytes = Buffer.from(`${mark}${text}`, 'utf16le');
  return isBigEndian ? bytes.swap16() : bytes;
}

const all = (path: string, position: string | null = null) =>
  lastValueFrom(replay(path, 'speed=max', { position: () => position }).samples$.pipe(toArray()));

/** What a replay says of itself once it has given so many rows. */
async function positionAfter(path: string, rows: number, options = 'speed=max'): Promise<string> {
  let left = rows;
  let position = '';
  const given = replay(path, options)
    .source.samples(of(true))
    .pipe(
      takeWhile((block) => {
        const count = rowCount(block);
        position = block.position?.(Math.min(left, count)) ?? '';
        left -= count;
        return left > 0;
      }),
    );
  await lastValueFrom(given, { defaultValue: null });
  return position;
}

describe('a file that is written', () => {
  it.each([
    ['with carriage returns alone', Buffer.from(TEXT.replaceAll('\n', '\r'))],
    ['with both', Buffer.from(TEXT.replaceAll('\n', '\r\n'))],
    ['in UTF-16 with a mark', utf16(TEXT, false, '\uFEFF')],
    ['in big-endian UTF-16 with a mark', utf16(TEXT, true, '\uFEFF')],
    ['in UTF-16 without a mark', utf16(TEXT, false, '')],
    ['in big-endian UTF-16 without a mark', utf16(TEXT, true, '')],
    ['compressed', gzipSync(TEXT)],
    ['compressed in two parts', Buffer.concat([gzipSync(TEXT.slice(0, 5000)), gzipSync(TEXT.slice(5000))])],
    ['compressed in UTF-16', gzipSync(utf16(TEXT, false, '\uFEFF'))],
  ])('%s gives the rows of the text, also when it is gone on with', async (_what, bytes) => {
    const path = file(bytes);
    const samples = await all(path);
    expect(samples.length).toBe(ROWS);
    expect(samples[0]?.schema.series.map(({ name }) => name)).toEqual(['größe', 'b']);
    expect(samples.every(({ values }, row) => values[0] === row && values[1] === row % 7)).toBe(true);
    for (const stop of [1, 5000, ROWS - 1]) {
      const position = await positionAfter(path, stop);
      const rest = await all(path, position);
      expect(rest.map(({ values }) => values[0])).toEqual(
        Array.from({ length: ROWS - stop }, (_, row) => stop + row),
      );
    }
  });

  it('in an encoding that is named is read in it, and gone on with', async () => {
    const path = file(Buffer.from(TEXT, 'latin1'));
    const options = 'speed=max,encoding=windows-1252';
    const { samples$, events } = replay(path, options);
    const samples = await lastValueFrom(samples$.pipe(toArray()));
    expect(samples[0]?.schema.series.map(({ name }) => name)).toEqual(['größe', 'b']);
    expect(samples.length).toBe(ROWS);
    expect(events.map(({ type }) => type)).not.toContain('csv_encoding_unknown');
    const position = await positionAfter(path, 5000, options);
    const rest = replay(path, options, { position: () => position }).samples$;
    expect((await lastValueFrom(rest.pipe(toArray())))[0]?.values[0]).toBe(5000);
  });

  it('in another encoding than UTF-8 says which option settles it', async () => {
    const { samples$, events } = replay(file(Buffer.from(TEXT, 'latin1')), 'speed=max');
    await lastValueFrom(samples$);
    expect(events).toContainEqual(expect.objectContaining({ type: 'csv_encoding_unknown' }));
    expect(() => replay(file(TEXT), 'encoding=latin-nine')).toThrow('windows-1252');
  });

  it.each([
    ['a workbook', Buffer.from('504b030414000600', 'hex'), 'save it as CSV'],
    ['with xz', Buffer.from('fd377a585a000004', 'hex'), 'unpack it'],
    ['with zstd', Buffer.from('28b52ffd0458', 'hex'), 'unpack it'],
  ])('%s is refused with what to do', async (_what, bytes, advice) => {
    const { samples$ } = replay(file(bytes), 'speed=max');
    await expect(lastValueFrom(samples$)).rejects.toThrow(advice);
  });

  it.each([
    ['/dev/zero', 'it is a device'],
    [tmpdir(), 'it is a directory'],
  ])('nowhere, such as %s, is refused', async (path, words) => {
    const { samples$ } = replay(path, 'speed=max');
    await expect(lastValueFrom(samples$)).rejects.toThrow(words);
  });

  it('compressed and cut off gives what is whole of it, and an error', async () => {
    const { samples$ } = replay(file(gzipSync(TEXT).subarray(0, 20_000)), 'speed=max');
    let rows = 0;
    const ended = lastValueFrom(
      samples$.pipe(
        tap(() => {
          rows += 1;
        }),
        toArray(),
      ),
    );
    await expect(ended).rejects.toThrow('ends too early');
    expect(rows).toBeGreaterThan(1000);
  });
});
