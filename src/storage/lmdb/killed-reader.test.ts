/** Somebody who looked into the file and was killed there. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { DATA_FILE, openEnvironment } from './lmdb-environment.ts';

const READER = `
import { open } from 'lmdb';
const db = open({ path: process.argv[1], noSubdir: true, readOnly: true, keyEncoding: 'binary', encoding: 'binary' });
const iterator = db.getRange({})[Symbol.iterator]();
iterator.next();
process.stdout.write('reads');
setInterval(() => iterator, 1000);
`;

it('keeps no freed pages from reuse', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-reader-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, DATA_FILE);
  const environment = openEnvironment({ path, readOnly: false, onDamage: () => {} });
  onTestFinished(() => environment.close());
  const value = new Uint8Array(200_000);
  const churn = async (rounds: number) => {
    for (let round = 0; round < rounds; round += 1)
      await environment.write([{ key: Uint8Array.of(round % 4), value }]);
  };
  await churn(20);

  const reader = spawn(process.execPath, ['--input-type=module', '-e', READER, path], {
    cwd: import.meta.dirname,
  });
  await once(reader.stdout, 'data');
  const before = environment.fileBytes();
  await churn(10);
  expect(environment.fileBytes()).toBeGreaterThan(before + 1_000_000);
  reader.kill('SIGKILL');
  await once(reader, 'exit');
  const after = environment.fileBytes();
  // 60 × 200 kB are written; the dead reader would have kept them all.
  await churn(60);
  expect(environment.fileBytes()).toBeLessThan(after + 2_000_000);
}, 60_000);
