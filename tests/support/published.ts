import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type RunOptions, root } from './holdfast.ts';
import { temporaryFolder } from './temporary.ts';

/** Runs `holdfast` as people install it: the build without the sources, started by `bin/holdfast.js`. */
export function published(): RunOptions {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'bin'));
  for (const file of ['package.json', 'bin/holdfast.js']) copyFileSync(join(root, file), join(folder, file));
  for (const name of ['dist', 'node_modules']) symlinkSync(join(root, name), join(folder, name));
  return { entry: [join(folder, 'bin/holdfast.js')] };
}
