/** Commands that ask HQ, as processes against an HQ that is one. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { built, runToEnd } from '../support/holdfast.ts';
import { startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';

const T0 = Date.UTC(2026, 0, 1);

async function deliver(url: string, agent: string, samples: number): Promise<void> {
  for (let at = 0; at < samples; at += 1) {
    const response = await fetch(`${url}/telemetry`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ agent, timestamp: T0 + at * 1000, metrics: { 'a,b': at, level: at / 4 } }),
    });
    expect(response.status).toBe(202);
  }
}

describe('asking HQ', () => {
  it('lists, retires and removes agents', async () => {
    const { url } = await startHqProcess(temporaryFolder(), built);
    const ask = (...args: string[]) => runToEnd([...args, '--hq', url], built);
    await deliver(url, 'one', 3);
    await deliver(url, 'two', 2);
    const table = await ask('agents');
    expect(table).toMatchObject({ code: 0, stderr: '' });
    expect(table.stdout.split('\n').map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
      ['ID', 'STATE'],
      ['one', expect.any(String)],
      ['two', expect.any(String)],
    ]);
    expect(table.stdout).toContain('100.00 %');
    const csv = await ask('samples', 'one', '--from', '2026-01-01T00:00:00Z', '-o', 'csv', '--limit', '2');
    expect(csv.stdout.split('\n')).toEqual([
      'time,epoch,seq,source,series,value',
      expect.stringMatching(/^2026-01-01T00:00:00\.000Z,[0-9a-f]{12},1,\w+,"a\\,b",0$/),
      expect.stringMatching(/level,0$/),
      expect.stringMatching(/,2,\w+,"a\\,b",1$/),
      expect.stringMatching(/level,0\.25$/),
    ]);
    expect(JSON.parse((await ask('ledger', 'one', '-o', 'json')).stdout)).toMatchObject([{ stored: 3 }]);
    expect((await ask('series', 'one')).stdout).toMatch(/^level +\w+ +.*2026-01-01T00:00:02\.000Z$/m);

    const unasked = await ask('retire', 'one');
    expect(unasked).toMatchObject({ code: 64, stdout: '', stderr: expect.stringContaining('--yes') });
    const retired = await ask('retire', 'one', '--yes', '-o', 'json');
    expect(JSON.parse(retired.stdout)).toMatchObject([{ id: 'one', stored: 3 }]);
    const purged = await ask('retire', 'one', '--purge', '--yes', '-o', 'csv');
    expect(purged).toMatchObject({
      code: 0,
      stdout: 'id,sampled,stored,pending,thinned,dropped\none,3,3,0,0,0',
      stderr: expect.stringContaining('removed for good'),
    });
    expect((await ask('retire', 'one', '--purge', '--yes')).stderr).toContain('before');
    expect(await ask('ledger', 'one')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('for good'),
    });
    expect(JSON.parse((await ask('agents', '-o', 'json')).stdout)).toMatchObject([{ id: 'two' }]);
  });

  it('says what to do where HQ wants a token, is not there, or is none', async () => {
    const folder = temporaryFolder();
    const { url } = await startHqProcess(join(folder, 'hq'), {
      ...built,
      env: { HOLDFAST_OPERATOR_TOKEN: 'operator-secret-1' },
    });
    const env = { HOLDFAST_HQ: url };
    expect(await runToEnd(['agents'], { ...built, env })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--token-file'),
    });
    const file = join(folder, 'token');
    writeFileSync(file, 'operator-secret-1\n');
    for (const args of [['agents', '--token-file', file], ['agents']]) {
      const more = args.length === 1 ? { HOLDFAST_OPERATOR_TOKEN: 'operator-secret-1' } : {};
      expect(await runToEnd(args, { ...built, env: { ...env, ...more } })).toMatchObject({ code: 0 });
    }
    const missing = await runToEnd(['agents', '--token-file', join(folder, 'none')], { ...built, env });
    expect(missing).toMatchObject({ code: 78, stderr: expect.stringContaining('cannot be read') });
    expect(await runToEnd(['agents', '--hq', 'http://127.0.0.1:9'], built)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('does not answer'),
    });
    expect(await runToEnd(['agents', '--hq', 'ftp://x'], built)).toMatchObject({ code: 64 });
  });
});
