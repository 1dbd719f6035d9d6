/**
 * Directories that 0.1.0 has left behind (tests/fixtures/0.1): HQ's, killed while frames came, and an agent's whose
 * journal has samples that HQ lacks.
 */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { anomalyDocumentSchema } from '../../src/protocol/api.ts';
import { startAgentProcess } from '../support/agent.ts';
import { runToEnd } from '../support/holdfast.ts';
import { allSamples, getJson, ledgerOf, startHqProcess } from '../support/hq.ts';
import { canMount, mountSmallDisk } from '../support/small-disk.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const FIXTURES = join(import.meta.dirname, '../fixtures/0.1');
const whole = (epoch: string, count: number) => ({
  epoch,
  sampled: count,
  stored: count,
  pending: 0,
  thinned: {},
  dropped: {},
  contiguous: count,
  ranges: [],
  gaps: [],
});

async function anomaliesOf(url: string, agent: string) {
  const document = await getJson(`${url}/api/v1/agents/${agent}/anomalies?from=0`);
  return z.object({ items: z.array(anomalyDocumentSchema) }).parse(document).items;
}

function unpacked(role: 'hq' | 'agent'): string {
  const directory = join(temporaryFolder(), role);
  cpSync(join(FIXTURES, role), directory, { recursive: true });
  writeFileSync(join(directory, 'data.mdb'), gunzipSync(readFileSync(join(directory, 'data.mdb.gz'))));
  return directory;
}

describe('directories of 0.1', () => {
  it('are read as they are, and what was pending is delivered', async () => {
    const directory = unpacked('hq');
    const files = ['data.mdb', 'identity.json'];
    const before = files.map((name) => readFileSync(join(directory, name)));
    const first = await startHqProcess(directory);
    const kept = files.map((name) => readFileSync(join(directory, `${name}.before-2`)));
    expect(kept.map((bytes, index) => before[index]?.equals(bytes))).toEqual([true, true]);
    expect(first.stderr.filter((line) => line.includes('"storage_upgrade"'))).toHaveLength(1);
    expect(await ledgerOf(first.url, 'pump')).toEqual([whole('e08fe1d83ffa', 257)]);
    expect(await ledgerOf(first.url, 'web')).toEqual([whole('0da1dda8e6a4', 1)]);
    expect((await allSamples(first.url, 'pump')).map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 257 }, (_, at) => at + 1),
    );
    await until('the anomaly to be known', async () => (await anomaliesOf(first.url, 'pump')).length === 1);

    const dataDir = unpacked('agent');
    const agent = startAgentProcess({ id: 'pump', hq: first.url, dataDir, sources: ['sim:hz=0.001'] });
    await until('the journal to be delivered', async () =>
      (await ledgerOf(first.url, 'pump')).some(({ stored }) => stored >= 323),
    );
    await agent.end('SIGTERM');
    await first.end('SIGTERM');

    const again = await startHqProcess(directory);
    expect(again.stderr.filter((line) => line.includes('"storage_upgrade"'))).toEqual([]);
    const [ledger] = await ledgerOf(again.url, 'pump');
    expect(ledger).toEqual(whole('e08fe1d83ffa', ledger?.sampled ?? 0));
    expect(await allSamples(again.url, 'pump')).toHaveLength(ledger?.sampled ?? 0);
    await again.end('SIGTERM');
  });

  it.skipIf(!canMount)('are left as they are where there is no room for a copy', async () => {
    const disk = mountSmallDisk(temporaryFolder(), 2 * 1024 * 1024);
    const directory = join(disk.path, 'hq');
    cpSync(unpacked('hq'), directory, { recursive: true });
    const before = readFileSync(join(directory, 'data.mdb'));
    disk.fill(512 * 1024);
    const refused = await runToEnd(['hq', '--port', '0', '--data-dir', directory]);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('a copy of data.mdb kept')]);
    expect(readFileSync(join(directory, 'data.mdb')).equals(before)).toBe(true);
    expect(JSON.parse(readFileSync(join(directory, 'identity.json'), 'utf8'))).toMatchObject({ format: 1 });

    // A copy elsewhere will do.
    writeFileSync(join(directory, 'data.mdb.before-2'), 'on the disk of backups');
    const hq = await startHqProcess(directory);
    expect(await ledgerOf(hq.url, 'pump')).toEqual([whole('e08fe1d83ffa', 257)]);
  });
});
