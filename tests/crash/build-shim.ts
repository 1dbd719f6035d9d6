import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** In CI a missing compiler is a failure, elsewhere a reason to skip. */
export const haveCompiler = spawnSync('cc', ['--version']).status === 0 || process.env.CI === 'true';

/** The shim (shim.c), compiled for this run. */
export function buildShim(folder: string): string {
  const library = join(folder, 'shim.so');
  const source = join(import.meta.dirname, 'shim.c');
  execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, source, '-ldl', '-lpthread']);
  return library;
}
