import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lastValueFrom } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportJournal } from '../../src/journal/inspect/inspect.ts';
import { openJournal } from '../../src/journal/journal.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { systemIds } from '../../src/platform/ids.ts';
import { seededRandom } from '../../src/platform/random.ts';
import { openLmdbStorage } from '../../src/storage/lmdb/lmdb-storage.ts';
import { eventually } from '../support/eventually.ts';

const SCRIPT = fileURLToPath(new URL('./journal-child.ts', import.meta.url));
const clock = createSystemClock();

type Child = {
  readonly process: ChildProcess;
  readonly lines: string[];
  readonly ended: Promise<number | null>;
};

describe('a journal whose process ends', () => {
  let directory: string;
  let children: Child[];
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-crash-'));
    children = [];
  });
  afterEach(async () => {
    for (const child of children) child.process.kill('SIGKILL');
    await Promise.all(children.map(({ ended }) => ended));
    rmSync(directory, { recursive: true });
  });

  const run = (command: string, ...args: string[]): Child => {
    const started = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const lines: string[] = [];
    let rest = '';
    started.stdout.on('data', (chunk: Buffer) => {
      const parts = (rest + chunk.toString()).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts);
    });
    const ended = new Promise<number | null>((resolve) => started.on('close', resolve));
    const child = { process: started, lines, ended };
    children.push(child);
    return child;
  };
  const start = (mode: string) => run(process.execPath, SCRIPT, mode, directory);
  const says = (child: Child, text: string) =>
    eventually(() => expect(child.lines.join('\n')).toContain(text), { interval: 10 });
  const kill = async (child: Child) => {
    child.process.kill('SIGKILL');
    await child.ended;
  };

  it('refuses a second process, by name, until the first is gone, however it went', async () => {
    const first = start('hold');
    await says(first, 'open');
    const second = start('hold');
    expect(await second.ended).toBe(1);
    expect(second.lines.join()).toMatch(/error locked/);
    expect(second.lines.join()).toContain(directory);
    await kill(first);
    const third = start('hold');
    await says(third, 'open');
  });

  it.skipIf(process.getuid?.() !== 0)('refuses a second container: process ids play no part', async () => {
    const isolated = () =>
      run('unshare', '--pid', '--fork', '--kill-child', process.execPath, SCRIPT, 'hold', directory);
    const first = isolated();
    await says(first, 'open');
    const second = isolated();
    expect(await second.ended).toBe(1);
    expect(second.lines.join()).toMatch(/error locked/);
  });

  it('keeps every durable append over 20 kills at random moments', async () => {
    const random = seededRandom(20_261);
    let durable = 0;
    for (let round = 0; round < 20; round += 1) {
      const child = start('append');
      await says(child, 'open');
      expect(Number(child.lines[0]?.split(' ')[1])).toBeGreaterThanOrEqual(durable);
      const lines = 2 + Math.floor(random.next() * 60);
      await expect
        .poll(() => child.lines.length, { timeout: 20_000, interval: 1 + Math.floor(random.next() * 5) })
        .toBeGreaterThan(lines);
      await kill(child);
      durable = Number(child.lines.at(-1)?.split(' ')[1]);
    }
    const seen: [number, unknown][] = [];
    for (const record of exportJournal(directory)) {
      if (!('seq' in record)) throw new Error(`a gap where nothing was lost: ${JSON.stringify(record)}`);
      seen.push([record.seq, record.values.a]);
    }
    expect(seen.length).toBeGreaterThanOrEqual(durable);
    // What is there is in order, without holes or repetition, and is what was sampled.
    expect(seen.every(([seq, value], index) => seq === index + 1 && value === seq)).toBe(true);
    const storage = await lastValueFrom(openLmdbStorage({ directory, clock }));
    const journal = await lastValueFrom(
      openJournal({ storage, clock, ids: systemIds, policy: 'drop-oldest', maxBytes: 2 ** 30 }),
    );
    expect(journal.stats()).toMatchObject({ sampled: seen.length, pending: seen.length, dropped: {} });
    await lastValueFrom(journal.close(), { defaultValue: undefined });
  });

  it('survives a commit that fails, and works on when there is room again', async () => {
    // Limits each file of the child to 1.5 MB; the unit of the shell is 1 KiB.
    const child = run(
      'bash',
      '-c',
      'ulimit -f 1500; exec "$@"',
      'bash',
      process.execPath,
      SCRIPT,
      'fill',
      directory,
    );
    expect(await child.ended).toBe(0);
    expect(child.lines[0]).toMatch(/^failed (io|full)$/);
    expect(child.lines.slice(1)).toEqual(['readable 1', 'released 0', 'appended 1000', 'closed']);
  });
});
