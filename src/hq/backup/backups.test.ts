import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { of, Subject } from 'rxjs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { seededIds } from '../../platform/ids.ts';
import { seededRandom } from '../../platform/random.ts';
import { ask } from '../gateway/testing/http.ts';
import { createTestGateway } from '../gateway/testing/test-gateway.ts';
import { createBackups } from './backups.ts';
import type { BackupManifest } from './manifest.ts';
import type { BackupAnswer, BackupRequest } from './run-backup.ts';

const ids = seededIds(seededRandom(1));
const manifest: BackupManifest = {
  format: 1,
  version: '1.0.0',
  directoryFormat: 2,
  hq: ids.hex(8),
  log: { log: ids.hex(8), partition: 0, number: 7 },
  createdTs: 1,
  bytes: 8192,
  records: 9,
  files: [{ name: 'data.mdb', bytes: 8192, sha256: ids.hex(32) }],
};

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-backups-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

/** As the process does that makes one. */
function make({ target }: BackupRequest): BackupAnswer {
  mkdirSync(target);
  writeFileSync(join(target, 'backup.json'), JSON.stringify(manifest));
  return { kind: 'made', manifest };
}

async function gatewayOn(dir: string, run: Parameters<typeof createBackups>[0]['run']) {
  const ended: (string | null)[] = [];
  const backups = createBackups({
    dir,
    dataDir: '/nowhere',
    clock: { precise: () => 0 },
    version: '1.0.0',
    run,
    onEnd: ({ error }) => ended.push(error),
  });
  const { app } = await createTestGateway({ backups });
  const post = (name: string) => ask(app, '/api/v1/backups', { method: 'POST', body: { name } });
  const list = async () => (await ask(app, '/api/v1/backups')).json();
  return { app, backups, ended, post, list };
}

describe('backups over HTTP', () => {
  it('are made one at a time, and listed', async () => {
    const dir = folder();
    const answers = new Subject<BackupAnswer>();
    let asked: BackupRequest | undefined;
    const { post, list, ended } = await gatewayOn(dir, (request) => {
      asked = request;
      return answers;
    });
    const running = { name: 'monday', state: 'running', detail: null, manifest: null };
    const begun = await post('monday');
    expect([begun.status, begun.json()]).toEqual([202, running]);
    expect(await list()).toEqual({ items: [running], cursor: null });
    expect((await post('tuesday')).problem().type).toBe('urn:holdfast:problem:backup_running');

    if (asked === undefined) throw new Error('nothing was begun');
    answers.next(make(asked));
    expect(ended).toEqual([null]);
    expect(await list()).toEqual({ items: [{ ...running, state: 'made', manifest }], cursor: null });
    expect((await post('monday')).problem().type).toBe('urn:holdfast:problem:backup_exists');
    expect((await post('tuesday')).status).toBe(202);
  });

  it('say why one failed, until it is tried again', async () => {
    const dir = folder();
    const { post, list } = await gatewayOn(dir, (request) =>
      existsSync(join(dir, 'sunday'))
        ? of(make(request))
        : of({ kind: 'failed', code: 'full', message: 'no room' }),
    );
    await post('monday');
    expect(await list()).toMatchObject({ items: [{ name: 'monday', state: 'failed', detail: 'no room' }] });
    mkdirSync(join(dir, 'sunday'));
    await post('monday');
    expect(await list()).toMatchObject({ items: [{ name: 'monday', state: 'made', detail: null }] });
  });

  it('are refused without a folder for them, and by names that are none', async () => {
    const none = await gatewayOn('', () => of());
    expect((await none.post('monday')).problem()).toMatchObject({
      status: 409,
      detail: expect.stringContaining('--backup-dir'),
    });
    expect((await ask(none.app, '/api/v1/backups')).status).toBe(409);
    const some = await gatewayOn(folder(), () => of());
    for (const name of ['', '../monday', 'a/b', '.hidden', 'x.holdfast-unfinished', 'a'.repeat(101)])
      expect((await some.post(name)).status, name).toBe(422);
  });
});
