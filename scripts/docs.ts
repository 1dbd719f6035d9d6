/**
 * Writes what is generated of the documents: docs/configuration.md from the settings' schemas, the folders in
 * docs/architecture.md from the imports. With `--check` it only tells whether they are current.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configurationPage } from '../src/cli/settings/page.ts';
import { withFolderGraphs } from './folder-graph.ts';

const PAGES: Readonly<Record<string, (present: string) => string>> = {
  'docs/configuration.md': configurationPage,
  'docs/architecture.md': withFolderGraphs,
};

for (const [name, write] of Object.entries(PAGES)) {
  const file = join(import.meta.dirname, '..', name);
  const present = readFileSync(file, 'utf8');
  const page = write(present);
  if (page === present) continue;
  if (process.argv.includes('--check')) {
    process.stderr.write(`${name} is stale: run "npm run docs"\n`);
    process.exitCode = 1;
  } else writeFileSync(file, page);
}
