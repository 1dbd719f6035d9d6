#!/usr/bin/env node
// Plain JavaScript that any Node can read, so that an old one is told what is missing.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';

const NEEDED = 24;
if (Number(process.versions.node.split('.')[0]) < NEEDED) {
  process.stderr.write(
    `holdfast needs Node ${NEEDED} or newer; this is ${process.version}.\n` +
      'In a checkout, "npm start" and "npm exec -- holdfast …" use the one that comes with it.\n',
  );
  process.exit(1);
}

// A checkout runs its sources as they are; a published package holds only the build.
const source = new URL('../src/cli/main.ts', import.meta.url);
const isCheckout = existsSync(source);
// Kept from the first run on: what strips the types takes time and 20 MB.
if (isCheckout) {
  module.enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/holdfast', import.meta.url)));
}
const entry = isCheckout ? source : new URL('../dist/bundle/main.js', import.meta.url);
try {
  const { main } = await import(entry.href);
  await main(process.argv.slice(2));
} catch (error) {
  if (error?.code !== 'EMFILE') throw error;
  // Not even its own modules can be read.
  process.stderr.write(
    'holdfast: this process may open too few files at once (EMFILE): raise its limit, as with "ulimit -n 1024", or LimitNOFILE= of a systemd unit.\n',
  );
  process.exitCode = 78;
}
