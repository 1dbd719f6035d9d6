import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DATA_FILE, openEnvironment } from './lmdb-environment.ts';

const opened = vi.hoisted((): unknown[] => []);
vi.mock('lmdb', async (importOriginal) => {
  const lmdb = await importOriginal<typeof import('lmdb')>();
  const open = (options: Parameters<typeof lmdb.open>[0]) => {
    opened.push(options);
    return lmdb.open(options);
  };
  return { ...lmdb, open };
});

describe('LMDB environment', () => {
  let directory: string;
  beforeEach(() => {
    opened.length = 0;
    directory = mkdtempSync(join(tmpdir(), 'holdfast-environment-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const open = () =>
    openEnvironment({ path: join(directory, DATA_FILE), readOnly: false, onDamage: () => {} });

  // No test short of cutting the power tells these options apart by what they do; measurements of that are why they are
  // set.
  it('opens with the options under which nothing acked was ever lost', async () => {
    await open().close();
    expect(opened).toHaveLength(1);
    expect(opened[0]).toMatchObject({ overlappingSync: false, eventTurnBatching: false });
    for (const risky of ['noSync', 'noMetaSync', 'mapAsync', 'useWritemap', 'compression', 'encryptionKey']) {
      expect(opened[0]).not.toHaveProperty(risky);
    }
  });

  it('gives freed pages back for use while it is read between commits', async () => {
    const environment = open();
    const key = Uint8Array.of(1);
    const value = new Uint8Array(200_000);
    for (let round = 0; round < 60; round += 1) {
      await environment.write([{ key, value }]);
      environment.view((reader) => reader.get(key));
      await environment.write([{ key, value: null }]);
    }
    // 60 × 200 kB were written; a held read transaction would have kept them all.
    expect(environment.fileBytes()).toBeLessThan(2_000_000);
    await environment.close();
  });
});
