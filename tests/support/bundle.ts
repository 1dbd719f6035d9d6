/**
 * For vitest, once before the suites that start processes: the sources and their libraries as a few files. A process that
 * finds them there starts with half of the work that hundreds of modules take, and tests start hundreds of processes.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'vite';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** The script of the `holdfast` command. */
    readonly bundle: string;
  }
}

const root = join(import.meta.dirname, '../..');

export default async function bundle(project: TestProject): Promise<() => void> {
  // As deep as dist/cli: the sources look for package.json and for bin/ from where they are.
  const parent = join(root, 'test-results');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'bundle-'));
  await build({
    configFile: false,
    root,
    logLevel: 'error',
    // Bound to machine code that lies beside it.
    ssr: { noExternal: true, external: ['lmdb'] },
    build: {
      ssr: true,
      outDir: folder,
      minify: false,
      target: 'node24',
      rolldownOptions: {
        input: {
          holdfast: join(import.meta.dirname, 'bundle-entry.ts'),
          // The storage starts it as a process, from beside itself.
          'probe-child': join(root, 'src/storage/lmdb/probe-child.ts'),
        },
        output: { entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' },
      },
    },
  });
  project.provide('bundle', join(folder, 'holdfast.js'));
  return () => rmSync(folder, { recursive: true, force: true });
}
