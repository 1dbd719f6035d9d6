import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../../tests/support/temporary.ts';
import { createTrafficFile, readTrafficFile, type TrafficRecord } from './traffic-file.ts';

const record: TrafficRecord = {
  at: { wall: 1_000, uptime: 5, boot: 'one' },
  day: { key: '2026-11-28', used: 12, unsure: 0 },
  month: { key: '2026-11', used: 120, unsure: 3 },
  liveRate: 1.5,
  seenMs: 60_000,
  helloAt: null,
};
const write = (path: string, one: TrafficRecord) =>
  lastValueFrom(createTrafficFile(path).write(one), { defaultValue: null });

describe('the file of the count of bytes', () => {
  it('holds what was written last, and nothing else lies alongside it', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'traffic.json');
    await write(path, { ...record, liveRate: 1 });
    await write(path, record);
    expect(await readTrafficFile(path)).toMatchObject({ kind: 'read', record });
    expect(readdirSync(folder)).toEqual(['traffic.json']);
  });

  it('makes the folder', async () => {
    const path = join(temporaryFolder(), 'data', 'traffic.json');
    await write(path, record);
    expect(await readTrafficFile(path)).toMatchObject({ kind: 'read', record });
  });

  it('is told from one that was never there', async () => {
    expect(await readTrafficFile(join(temporaryFolder(), 'traffic.json'))).toEqual({ kind: 'missing' });
  });

  it('is read in whole bytes, also where a chunk of a budget was written that is none', async () => {
    const path = join(temporaryFolder(), 'traffic.json');
    const { day, month } = record;
    await write(path, {
      ...record,
      day: { ...day, used: 19_531.25, unsure: 0.5 },
      month: { ...month, used: 19_651.25 },
    });
    expect(await readTrafficFile(path)).toMatchObject({
      kind: 'read',
      record: { day: { used: 19_532, unsure: 1 }, month: { used: 19_652, unsure: 3 } },
    });
  });

  it.each<[string, (whole: string) => string]>([
    ['empty', () => ''],
    ['cut', (whole) => whole.slice(0, -20)],
    ['of a later format', (whole) => whole.replace('"format":1', '"format":2')],
    ['of something else', () => '{"format":1}'],
    ['with a count that is none', (whole) => whole.replace('"used":12', '"used":-12')],
    ['binary', () => '\0\0\0\0'],
  ])('is damaged when it is %s', async (_what, damage) => {
    const path = join(temporaryFolder(), 'traffic.json');
    await write(path, record);
    writeFileSync(path, damage(readFileSync(path, 'utf8')));
    expect((await readTrafficFile(path)).kind).toBe('damaged');
  });

  it('is damaged when it cannot be read at all', async () => {
    const path = join(temporaryFolder(), 'traffic.json');
    mkdirSync(path);
    expect((await readTrafficFile(path)).kind).toBe('damaged');
    await expect(write(path, record)).rejects.toThrow();
  });
});
