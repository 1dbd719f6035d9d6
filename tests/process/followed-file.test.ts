/** A CSV file that grows and is rotated, whatever ends its agent: each row is at HQ once, in the order of the files. */
import { appendFileSync, copyFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { startAgentProcess } from '../support/agent.ts';
import { built } from '../support/holdfast.ts';
import { allSamples, ledgerOf, startHqProcess } from '../support/hq.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const HEADER = 'time,row\n';
const START = 1_700_000_000;

/** How a full file gives way to a new one. */
const ROTATIONS: readonly ((path: string) => void)[] = [
  (path) => renameSync(path, `${path}.1`),
  (path) => {
    writeFileSync(`${path}.1.gz`, gzipSync(readFileSync(path)));
    rmSync(path);
  },
  (path) => copyFileSync(path, `${path}.1`),
];

describe('a followed file', () => {
  it('gives each row once, over kills and rotations while nobody looks', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'log.csv');
    const hq = await startHqProcess(join(folder, 'hq'), built);
    const sources = [`csv:path=${path},follow`];
    const start = () =>
      startAgentProcess({ id: 'edge', hq: hq.url, dataDir: join(folder, 'edge'), sources, ...built });
    const stored = async () => (await ledgerOf(hq.url, 'edge').catch(() => []))[0]?.stored ?? 0;
    let rows = 0;
    const write = (count: number) => {
      const lines = Array.from({ length: count }, (_, index) => `${START + rows + index},${rows + index}\n`);
      appendFileSync(path, lines.join(''));
      rows += count;
    };
    writeFileSync(path, HEADER);
    write(100);
    for (const [index, rotate] of ROTATIONS.entries()) {
      const agent = start();
      await until('HQ to have what the file holds', async () => (await stored()) >= rows);
      write(30);
      // Ended at any moment between the writing and the reading of these rows.
      await agent.end(index % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
      write(20);
      rmSync(`${path}.1`, { force: true });
      rmSync(`${path}.1.gz`, { force: true });
      rotate(path);
      writeFileSync(path, HEADER);
      write(50);
    }
    const last = start();
    await until('HQ to have all rows', async () => (await stored()) >= rows);
    expect(await last.end('SIGTERM')).toBe(0);
    const samples = await allSamples(hq.url, 'edge');
    expect(samples.map(({ values }) => values.row)).toEqual(Array.from({ length: rows }, (_, row) => row));
  });
});
