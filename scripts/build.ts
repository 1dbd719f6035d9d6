/**
 * Builds into dist/: the modules of src/ with their types, the dashboard, and the command with all of its libraries but
 * lmdb as a bundle. Of the modules only the operators are published; `files` in package.json says what is.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from './bundle.ts';

const root = join(import.meta.dirname, '..');
const run = (tool: string, ...args: string[]) =>
  execFileSync(join(root, 'node_modules/.bin', tool), args, { cwd: root, stdio: 'inherit' });

rmSync(join(root, 'dist'), { recursive: true, force: true });
run('tsc', '-p', 'tsconfig.build.json');
run('vite', 'build', '--logLevel', 'warn');
await bundle({
  outDir: join(root, 'dist/bundle'),
  input: { main: join(root, 'src/cli/main.ts'), 'health-check': join(root, 'src/cli/health-check.ts') },
  compact: true,
  license: true,
});
