import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeUnfinished, writeInUse } from './data-directory.ts';

const inUse = { bootId: 'boot', uncleanEnds: 0, suspect: false, fruitless: 0 };

describe('a file of the data directory', () => {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-directory-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('that cannot be written leaves nothing unfinished', () => {
    // Nothing can take the place of a directory.
    mkdirSync(join(directory, 'in-use.json'));
    expect(() => writeInUse(directory, inUse)).toThrow(/Cannot write/);
    expect(readdirSync(directory)).toEqual(['in-use.json']);
  });

  it('that a process left unfinished is removed, and nothing else', () => {
    writeInUse(directory, inUse);
    const whole = readFileSync(join(directory, 'in-use.json'), 'utf8');
    for (const name of ['in-use.json.new', 'identity.json.new', 'data.mdb.room', 'notes.new'])
      writeFileSync(join(directory, name), '');
    removeUnfinished(directory);
    expect(readdirSync(directory).sort()).toEqual(['in-use.json', 'notes.new']);
    expect(readFileSync(join(directory, 'in-use.json'), 'utf8')).toBe(whole);
  });
});
