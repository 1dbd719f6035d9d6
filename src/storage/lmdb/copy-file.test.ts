/** A copy that is taken while the owner of the file writes on. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import { expect, it, onTestFinished } from 'vitest';
import { DATA_FILE, openEnvironment } from './lmdb-environment.ts';
import { copyFile, walkFile } from './probe.ts';

it('is sound, and as one commit has left it, small values and large ones', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-copy-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const [path, target] = [join(directory, DATA_FILE), join(directory, 'copy.mdb')];
  const environment = openEnvironment({ path, readOnly: false, onDamage: () => {} });
  onTestFinished(() => environment.close());
  const key = (n: number) => Uint8Array.of(n >> 8, n & 0xff);
  const value = (n: number, round: number) =>
    new Uint8Array([10, 900, 6_000, 50_000][n % 4] ?? 0).fill(round);
  const write = (round: number) =>
    environment.write(Array.from({ length: 400 }, (_, n) => ({ key: key(n), value: value(n, round) })));
  for (let round = 0; round < 4; round += 1) await write(round);

  let isDone = false;
  const copied = lastValueFrom(copyFile({ path, target, deadlineMs: 60_000 })).finally(() => {
    isDone = true;
  });
  for (let round = 4; !isDone; round += 1) await write(round % 250);
  expect(await copied).toMatchObject({ kind: 'copied', problem: null });

  const walked = await lastValueFrom(walkFile({ path: target, budgetMs: 60_000, live: false }));
  expect(walked).toMatchObject({ records: 400, damagedRecords: 0, brokenPages: 0, complete: true });
  const copy = openEnvironment({ path: target, readOnly: true, onDamage: () => {} });
  onTestFinished(() => copy.close());
  const rounds = copy.view((reader) => Array.from({ length: 400 }, (_, n) => reader.get(key(n))?.[0]));
  expect(new Set(rounds).size, 'of one commit').toBe(1);
}, 120_000);
