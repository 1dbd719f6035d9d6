import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { node, root } from '../support/holdfast.ts';

const documentSchema = z.object({
  machine: z.object({ cores: z.number(), node: z.string() }),
  results: z.array(
    z.object({
      benchmark: z.string(),
      title: z.string(),
      rows: z.array(z.object({ name: z.string(), value: z.number(), unit: z.string() })),
    }),
  ),
});

const bench = (...args: readonly string[]) =>
  spawnSync(node, [join(root, 'benchmarks/run.ts'), ...args], { encoding: 'utf8' });

it('says what can be asked for, on standard output', () => {
  const { status, stdout, stderr } = bench('--help');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  for (const option of ['only', 'json', 'quick', 'no-build'])
    expect(stdout).toMatch(new RegExp(`^  --${option} .*\\(default: .+\\)`, 'm'));
  expect(stdout).toContain(
    'codec, journal, end-to-end, live-latency, fan-in, agent-idle, agent-full, detection, links',
  );
  expect(stdout).toMatch(/^Exit codes: 0 .*; 1 .*; 64 /m);
});

it.each([
  { asked: ['--sedes'], told: '--sedes' },
  { asked: ['--only', 'codec,x'], told: 'no benchmark called x; there are codec, journal' },
])('refuses $asked with the help, on standard error', ({ asked, told }) => {
  const { status, stdout, stderr } = bench('--no-build', ...asked);
  expect({ status, stdout }).toEqual({ status: 64, stdout: '' });
  expect(stderr).toContain(told);
  expect(stderr).toContain('--no-build');
  expect(stderr).not.toContain('    at ');
});

it('every benchmark runs, and yields figures of Holdfast and of its baseline', async () => {
  const args = [join(root, 'benchmarks/run.ts'), '--json', '--quick', '--no-build'];
  const { stdout } = await promisify(execFile)(node, args, { maxBuffer: 2 ** 24 });
  const { results } = documentSchema.parse(JSON.parse(stdout));
  const expected = {
    codec: ['holdfast frame, 60 a batch: encode', 'JSON + gzip, 60 a batch: encode'],
    journal: [
      'journal, 200 samples a commit',
      'SQLite WAL, synchronous=FULL, 200 samples a commit',
      'file with fdatasync, 200 samples a commit',
    ],
    'end-to-end': [
      'holdfast: drain, from the first stored sample',
      'NDJSON + HTTP + SQLite: drain, from the first stored sample',
      'holdfast: on the wire, both ways',
    ],
    'live-latency': ['holdfast: p99', 'file + HTTP + SQLite: p99'],
    'fan-in': ['holdfast, 20 agents: p99', 'HTTP + SQLite, 5 agents: p99'],
    'agent-idle': ['holdfast, host every second: RSS', 'Node + LMDB, 2 commits/s: RSS'],
    'agent-full': ['holdfast: rows', 'Node + JSON + LMDB: rows'],
    detection: ['sensors (auto), daily rhythm: spike, found', 'adaptive: cost'],
    links: ['holdfast, 2 Mbit/s, 50 ms: link used', 'holdfast, caught up, 17 series at 1 Hz: up'],
  };
  expect(results.map(({ benchmark }) => benchmark)).toEqual(Object.keys(expected));
  for (const [benchmark, names] of Object.entries(expected)) {
    const rows = results.find((result) => result.benchmark === benchmark)?.rows ?? [];
    for (const name of names) {
      const row = rows.find((one) => one.name === name);
      expect(row?.value, `${benchmark}: ${name}`).toBeGreaterThan(0);
    }
  }
});
