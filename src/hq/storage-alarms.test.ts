/** A data file that is moved, deleted or replaced under a running HQ. */
import { copyFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { eventually } from '../../tests/support/eventually.ts';
import { temporaryFolder } from '../../tests/support/temporary.ts';
import { alarmSchema } from '../protocol/api.ts';
import type { RunningHq } from './main.ts';
import { type Line, start } from './testing/started-hq.ts';

async function deliver(hq: RunningHq, at: number): Promise<number> {
  const { status } = await fetch(`${hq.url}/telemetry`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ agent: 'edge', timestamp: 1_700_000_000_000 + at, metrics: { x: at } }),
  });
  return status;
}

async function alarmsOf(hq: RunningHq) {
  const body = await (await fetch(`${hq.url}/api/v1/alarms`)).json();
  return z
    .object({ items: z.array(alarmSchema) })
    .parse(body)
    .items.map(({ agent, kind }) => ({ agent, kind }));
}

const FAILING = { agent: null, kind: 'storage_failing' };

describe('a data file under a running HQ', () => {
  it('that is moved is noticed without a delivery, and all goes on once it is back', async () => {
    const dataDir = temporaryFolder();
    const lines: Line[] = [];
    const hq = await start({ dataDir }, lines);
    const file = join(dataDir, 'data.mdb');
    expect(await deliver(hq, 1)).toBe(202);
    renameSync(file, join(dataDir, 'elsewhere.mdb'));
    await eventually(async () => {
      const ready = await fetch(`${hq.url}/readyz`);
      expect(ready.status).toBe(503);
      expect(await ready.text()).toContain('its data file was moved, deleted or replaced');
      expect(await alarmsOf(hq)).toEqual([FAILING]);
    });
    expect(await deliver(hq, 2)).toBe(503);
    expect(lines).toContainEqual({ level: 'warn', event: 'hq_alarm' });
    const { items } = z
      .object({ items: z.array(z.object({ seq: z.number() })) })
      .parse(await (await fetch(`${hq.url}/api/v1/agents/edge/samples?from=0`)).json());
    expect(items, 'what was stored can be read').toEqual([{ seq: 1 }]);

    renameSync(join(dataDir, 'elsewhere.mdb'), file);
    await eventually(async () => expect((await fetch(`${hq.url}/readyz`)).status).toBe(200));
    expect(await alarmsOf(hq)).toEqual([]);
    expect(await deliver(hq, 2)).toBe(202);
    await hq.stop();
    const again = await start({ dataDir });
    expect(await (await fetch(`${again.url}/api/v1/agents/edge`)).json()).toMatchObject({ stored: 2 });
  });

  it.each([
    ['deleted', (file: string) => rmSync(file)],
    [
      'replaced by a copy',
      (file: string) => {
        copyFileSync(file, `${file}.copy`);
        renameSync(`${file}.copy`, file);
      },
    ],
  ])('that is %s takes nothing that a restart would lose', async (_what, spoil) => {
    const dataDir = temporaryFolder();
    const hq = await start({ dataDir });
    expect(await deliver(hq, 1)).toBe(202);
    spoil(join(dataDir, 'data.mdb'));
    expect(await deliver(hq, 2)).toBe(503);
    expect(await alarmsOf(hq)).toEqual([FAILING]);
  });

  it('that was gone at the start is an alarm', async () => {
    const dataDir = temporaryFolder();
    const hq = await start({ dataDir });
    expect(await deliver(hq, 1)).toBe(202);
    await hq.stop();
    rmSync(join(dataDir, 'data.mdb'));
    const again = await start({ dataDir });
    expect(await alarmsOf(again)).toEqual([{ agent: null, kind: 'storage_damaged' }]);
  });
});
