/** A registry of npm on loopback that has what is in node_modules, so that a test installs without the network. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { root } from './holdfast.ts';

const manifestSchema = z.looseObject({ name: z.string(), version: z.string() });

/** Starts it; gives its address. It ends with the test. */
export async function startRegistry(): Promise<string> {
  let url = '';
  const tarballs = new Map<string, Buffer>();
  const tarballOf = (name: string) => {
    const known = tarballs.get(name);
    if (known !== undefined) return known;
    const folder = join(root, 'node_modules', name);
    const made = execFileSync('tar', ['-czf', '-', '-C', folder, '--transform', 's,^\\.,package,', '.'], {
      maxBuffer: 2 ** 28,
    });
    tarballs.set(name, made);
    return made;
  };
  const server = createServer((request, response) => {
    const [, path = '', isTarball] = /^\/(.+?)(\.tgz)?$/.exec(decodeURIComponent(request.url ?? '')) ?? [];
    const file = join(root, 'node_modules', path, 'package.json');
    if (path.includes('..') || !existsSync(file)) return void response.writeHead(404).end('{}');
    if (isTarball !== undefined) return void response.end(tarballOf(path));
    const manifest = manifestSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    const integrity = `sha512-${createHash('sha512').update(tarballOf(path)).digest('base64')}`;
    const dist = { tarball: `${url}/${encodeURIComponent(path)}.tgz`, integrity };
    const { name, version } = manifest;
    const versions = { [version]: { ...manifest, dist } };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ name, 'dist-tags': { latest: version }, versions }));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return url;
}
