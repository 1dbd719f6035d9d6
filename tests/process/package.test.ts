/** What other people get: the package is packed as it is published, installed into an empty folder, and used. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { node, root, run } from '../support/holdfast.ts';
import { getJson } from '../support/hq.ts';
import { startRegistry } from '../support/local-registry.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

/** With the Node that the project pins, whatever runs npm. */
const PATH = `${dirname(node)}:${process.env.PATH}`;
const env = { ...process.env, PATH, npm_config_cache: '', npm_config_update_notifier: 'false' };

/** A copy of what git tracks: npm pack builds, and other tests use the build that is there. */
function checkout(): string {
  const folder = join(temporaryFolder(), 'checkout');
  const tracked = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  });
  for (const file of tracked.split('\0').filter((name) => name !== '')) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(root, file), join(folder, file));
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** Packs, and installs into an empty folder. */
async function installed() {
  const tree = checkout();
  const folder = join(dirname(tree), 'empty');
  mkdirSync(folder);
  const cache = join(dirname(tree), 'npm-cache');
  const npm = (args: readonly string[], cwd: string) => {
    const { status, stdout, stderr } = spawnSync('npm', args, {
      cwd,
      encoding: 'utf8',
      env: { ...env, npm_config_cache: cache },
    });
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    return stdout;
  };
  npm(['pack', '--pack-destination', folder], tree);
  const [tarball = ''] = readdirSync(folder);
  writeFileSync(join(folder, 'package.json'), '{"name":"somebody","version":"1.0.0","type":"module"}');
  const registry = await startRegistry();
  await new Promise<void>((resolve, reject) => {
    // Not synchronous: the registry answers in this process.
    const args = ['install', '--no-audit', '--no-fund', '--registry', registry, `./${tarball}`];
    const installing = run(args, { command: 'npm', cwd: folder, env: { PATH, npm_config_cache: cache } });
    void installing.ended.then((code) =>
      code === 0 ? resolve() : reject(new Error(installing.stderr.join('\n'))),
    );
  });
  return { folder, tarball: join(folder, tarball), bin: join(folder, 'node_modules/.bin/holdfast') };
}

/** The example of the documentation. */
function example(): string {
  const page = readFileSync(join(root, 'docs/streams.md'), 'utf8');
  const [, code] = /^```ts\n(.+?)^```$/ms.exec(page) ?? [];
  if (code === undefined) throw new Error('docs/streams.md has no example');
  return code;
}

describe('the package', () => {
  it('is built when it is packed, and runs where it is installed: command, demo, operators, types', async () => {
    const { folder, tarball, bin } = await installed();
    const files = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).split('\n');
    expect(files).toEqual(
      expect.arrayContaining(
        [
          'bin/holdfast.js',
          'dist/bundle/main.js',
          'dist/bundle/probe-child.js',
          'dist/bundle/health-check.js',
          'dist/bundle/licenses.md',
          'dist/dashboard/index.html',
          'dist/streams/index.js',
          'dist/streams/index.d.ts',
          'docs/streams.md',
          'LICENSE',
          'README.md',
        ].map((name) => `package/${name}`),
      ),
    );
    expect(files.filter((name) => /\.test\.|^package\/(src|tests)\//.test(name))).toEqual([]);
    // What the bundle holds is not fetched a second time.
    expect(readdirSync(join(folder, 'node_modules'))).not.toContain('fastify');

    expect(spawnSync(bin, ['version'], { encoding: 'utf8', env }).stdout).toMatch(/^holdfast \d/);

    writeFileSync(join(folder, 'consumer.ts'), example());
    const output = execFileSync(node, ['consumer.ts'], { cwd: folder, encoding: 'utf8' });
    expect(`// ${output}`).toBe(`${example().trim().split('\n').at(-1)}\n`);
    expect(JSON.parse(output)).toMatchObject({ isFarOff: true });
    const strict = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--noEmit'];
    const target = ['--module', 'nodenext', '--target', 'es2022', '--lib', 'es2024,dom', '--types', ''];
    const checked = spawnSync(
      join(root, 'node_modules/.bin/tsc'),
      [...strict, ...target, '--ignoreConfig', 'consumer.ts'],
      { cwd: folder, encoding: 'utf8', env },
    );
    expect(checked.stdout + checked.stderr).toBe('');
    expect(checked.status).toBe(0);

    const demo = run(['demo', '--port', '0', '--chaos', 'off'], { command: bin, cwd: folder, env: { PATH } });
    const url = await until('the address of the dashboard', () =>
      demo.stdout.map((line) => /dashboard +(http:\S+)/.exec(line)?.[1]).find((one) => one !== undefined),
    );
    expect(await (await fetch(url)).text()).toContain('<script type="module"');
    await until('samples of all three agents', async () => {
      const { items } = z
        .object({ items: z.array(z.object({ stored: z.number() })) })
        .parse(await getJson(`${url}/api/v1/agents`));
      return items.length === 3 && items.every(({ stored }) => stored > 0);
    });
    expect(await demo.end('SIGTERM')).toBe(0);
  });
});
