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
import { allSamples, getJson, ledgerOf, startHqProcess } from '../support/hq.ts';
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
    const first = await startHqProcess(directory);
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
    const [ledger] = await ledgerOf(again.url, 'pump');
    expect(ledger).toEqual(whole('e08fe1d83ffa', ledger?.sampled ?? 0));
    expect(await allSamples(again.url, 'pump')).toHaveLength(ledger?.sampled ?? 0);
    await again.end('SIGTERM');
  });
});
