/**
 * For vitest, once before the suites that start processes: the sources and their libraries as a few files. A process
 * that finds them there starts with half of the work that hundreds of modules take, and tests start hundreds of
 * processes.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { bundle } from '../../scripts/bundle.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The script of the `holdfast` command. */
    readonly bundle: string;
  }
}

const root = join(import.meta.dirname, '../..');

export default async function provideBundle(project: TestProject): Promise<() => void> {
  const parent = join(root, 'test-results');
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'bundle-'));
  await bundle({
    outDir: folder,
    input: { holdfast: join(import.meta.dirname, 'bundle-entry.ts') },
    compact: false,
    license: false,
  });
  project.provide('bundle', join(folder, 'holdfast.js'));
  return () => rmSync(folder, { recursive: true, force: true });
}
