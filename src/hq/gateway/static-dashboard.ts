/** Serves the built dashboard, or a page that says how to build it. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

const NOT_BUILT = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Holdfast HQ</title>
<body style="font-family:system-ui;max-width:40em;margin:4em auto;padding:0 1em">
<h1>HQ is running</h1>
<p>The dashboard is not built. Run <code>npm run build</code> in Holdfast's folder and restart HQ.</p>
<p>The API is there all the same: <a href="/api/v1/agents">agents</a>, <a href="/openapi.json">openapi.json</a>, <a href="/metrics">metrics</a>.</p>
</body></html>
`;

/** `dist/dashboard` of the package that this file is part of. */
export function builtDashboardDir(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  return join(folder, 'dist', 'dashboard');
}

/** `dir` empty: the dashboard that comes with Holdfast. */
export async function registerStaticDashboard(app: FastifyInstance, dir: string): Promise<void> {
  const root = dir === '' ? builtDashboardDir() : dir;
  const index = join(root, 'index.html');
  const isBuilt = existsSync(index);
  const page = isBuilt ? readFileSync(index, 'utf8') : NOT_BUILT;
  if (isBuilt) {
    await app.register(fastifyStatic, {
      root,
      index: false,
      dotfiles: 'deny',
      // Vite puts a hash of the content into the names below assets/.
      setHeaders: (reply, path) => {
        const isHashed = path.startsWith(join(root, 'assets'));
        void reply.header('cache-control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
      },
      cacheControl: false,
    });
  }
  app.get('/', { schema: { hide: true } }, async (_request, reply) => {
    return reply.type('text/html; charset=utf-8').header('cache-control', 'no-cache').send(page);
  });
}
