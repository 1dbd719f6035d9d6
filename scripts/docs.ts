/**
 * Writes docs/configuration.md from the settings' schemas. With `--check` it only tells whether the file is current.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configurationPage } from '../src/cli/settings/page.ts';

const file = join(import.meta.dirname, '../docs/configuration.md');
const page = configurationPage();
if (!process.argv.includes('--check')) writeFileSync(file, page);
else if (readFileSync(file, 'utf8') !== page) {
  process.stderr.write('docs/configuration.md is stale: run "npm run docs"\n');
  process.exitCode = 1;
}
