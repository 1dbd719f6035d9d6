/** An agent that is pointed at another HQ than the one that holds what it delivered. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startAgentProcess } from '../support/agent.ts';
import { built } from '../support/holdfast.ts';
import { ledgerOf, startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

it('refuses it by name and accounts for nothing there, goes on with its own, and begins again when asked to', async () => {
  const folder = temporaryFolder();
  const north = await startHqProcess(join(folder, 'north'), built);
  const south = await startHqProcess(join(folder, 'south'), built);
  const start = (hq: string, args: readonly string[] = []) =>
    startAgentProcess({
      ...built,
      id: 'edge',
      hq,
      dataDir: join(folder, 'edge'),
      sources: ['sim:hz=20,sensors=2'],
      args: ['--uplink-backoff-initial-ms', '50', '--uplink-backoff-max-ms', '400', ...args],
    });
  const storedAt = async (url: string) =>
    (await ledgerOf(url, 'edge').catch(() => [])).reduce((sum, entry) => sum + entry.stored, 0);

  const first = start(north.url);
  await until('samples at the first HQ', async () => (await storedAt(north.url)) > 0);
  expect(await first.end('SIGTERM')).toBe(0);
  const before = await storedAt(north.url);

  const lost = start(south.url);
  const line = await until('the other HQ to be refused', () =>
    lost.stderr.find((one) => one.includes('"kind":"other_hq"')),
  );
  expect(line).toContain(south.url);
  expect(line).toContain('--new-epoch');
  expect(await lost.end('SIGTERM')).toBe(0);
  expect(await ledgerOf(south.url, 'edge').catch(() => [])).toEqual([]);

  const again = start(north.url);
  await until('more samples at the first HQ', async () => (await storedAt(north.url)) > before);
  expect(await again.end('SIGTERM')).toBe(0);
  const [entry] = await ledgerOf(north.url, 'edge');
  expect(entry).toMatchObject({ stored: entry?.sampled, dropped: {} });

  start(south.url, ['--new-epoch']);
  await until('samples at the other HQ', async () => (await storedAt(south.url)) > 0);
  expect((await ledgerOf(south.url, 'edge'))[0]).toMatchObject({ dropped: {} });
});
