/** Functions, files, and lines of comments and documents are as short as they should be. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LONG_COMMENTS, LONG_FILES, LONG_FUNCTIONS } from './known-lengths.ts';

const root = join(import.meta.dirname, '../..');
const MAX_FILE_LINES = 400;
const MAX_LINE = 120;

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  // What tidy.test.ts puts there for a moment may be gone by now.
  .filter((file) => file !== '')
  .filter((file) => !file.startsWith('tests/support/transcripts/'));
const linesOf = (file: string): string[] => readFileSync(join(root, file), 'utf8').split('\n');
const isCode = (file: string) => /\.(ts|tsx|js)$/.test(file);
const counted = (found: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const file of found) counts[file] = (counts[file] ?? 0) + 1;
  return counts;
};

/** Files with more of something than is known, and what is known of files that no longer have so much of it. */
const differences = (counts: Record<string, number>, known: Readonly<Record<string, number>>): string[] =>
  [...new Set([...Object.keys(counts), ...Object.keys(known)])]
    .filter((file) => (counts[file] ?? 0) !== (known[file] ?? 0))
    .map((file) => `${file}: ${counts[file] ?? 0}, known-lengths.ts says ${known[file] ?? 0}`);

/**
 * Where functions of more than 80 lines (function-length.json, blank lines left out) begin. What is given to `describe`
 * is none: it has no course of its own, each of its tests is a function.
 */
function longFunctions(
  targets: readonly string[],
  cwd = root,
): { readonly file: string; readonly line: number }[] {
  const { stdout } = spawnSync(
    join(root, 'node_modules/.bin/biome'),
    [
      'lint',
      `--config-path=${join(import.meta.dirname, 'function-length.json')}`,
      '--max-diagnostics=none',
      '--reporter=github',
      ...targets,
    ],
    { cwd, encoding: 'utf8', maxBuffer: 64 * 2 ** 20 },
  );
  return [...stdout.matchAll(/noExcessiveLinesPerFunction,file=([^,]+),line=(\d+)/g)]
    .map(([, path = '', line]) => ({ file: path.replace(`${cwd}/`, ''), line: Number(line) }))
    .filter(({ file, line }) => !isGroup(readFileSync(join(cwd, file), 'utf8').split('\n'), line - 1));
}

/** Whether what begins there is given to `describe`, whose name may stand in the lines before. */
function isGroup(lines: readonly string[], at: number): boolean {
  const begin = lines[at] ?? '';
  const name = lines.slice(Math.max(0, at - 3), at).join('\n');
  return (
    /^\s*describe[.(]|^\]\)\(/.test(begin) ||
    (/^\s*\(\) => \{$/.test(begin) && /(^|\n)describe[.(][^;]*$/.test(name))
  );
}

/** Lines of comments, by how they begin. */
const isComment = (line: string) => /^\s*(\/\/|\/\*|\*( |$))/.test(line) && !line.includes('biome-ignore');

/** Prose of a document: neither a row of a table nor a quotation, which cannot go on in the next line. */
function prose(lines: readonly string[]): string[] {
  let isQuoted = false;
  return lines.filter((line) => {
    if (line.trimStart().startsWith('```')) isQuoted = !isQuoted;
    return !isQuoted && !/^\||^ {4}|^\s*`[^`]*`\.?$/.test(line);
  });
}

describe('lengths', () => {
  it('has no function of more than 80 lines', () => {
    const found = longFunctions([
      'src',
      'simulation',
      'tests',
      'marble-tests',
      'benchmarks',
      'scripts',
      'bin',
    ]);
    expect(differences(counted(found.map(({ file }) => file)), LONG_FUNCTIONS)).toEqual([]);
  });

  it('would notice one, in a test too, and takes a describe for none', () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-lengths-')));
    try {
      const body = Array.from({ length: 81 }, (_, index) => `  run(${index});`).join('\n');
      writeFileSync(join(folder, 'a.ts'), `export function long() {\n${body}\n}\n`);
      writeFileSync(join(folder, 'b.ts'), `it('is long', () => {\n${body}\n});\n`);
      writeFileSync(join(folder, 'c.ts'), `describe('a group', () => {\n${body}\n});\n`);
      expect(longFunctions(['.'], folder).map(({ file }) => file)).toEqual(['a.ts', 'b.ts']);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('reports what is more than is known, and what is known in vain', () => {
    const known = { 'as-known.ts': 1, 'gone.ts': 1, 'shrunk.ts': 3 };
    expect(differences({ 'as-known.ts': 1, 'new.ts': 1, 'shrunk.ts': 2 }, known)).toEqual([
      'new.ts: 1, known-lengths.ts says 0',
      'shrunk.ts: 2, known-lengths.ts says 3',
      'gone.ts: 0, known-lengths.ts says 1',
    ]);
  });

  it(`has no file of more than ${MAX_FILE_LINES} lines`, () => {
    const long = tracked
      .filter((file) => isCode(file) || file.endsWith('.css'))
      .filter((file) => linesOf(file).length > MAX_FILE_LINES + 1);
    expect(differences(counted(long), counted(LONG_FILES))).toEqual([]);
  });

  it(`has no line of a comment of more than ${MAX_LINE} characters`, () => {
    const long = tracked
      .filter(isCode)
      .flatMap((file) =>
        linesOf(file).flatMap((line) => (line.length > MAX_LINE && isComment(line) ? [file] : [])),
      );
    expect(differences(counted(long), LONG_COMMENTS)).toEqual([]);
  });

  it(`has no prose of more than ${MAX_LINE} characters a line`, () => {
    const long = tracked
      .filter((file) => file.endsWith('.md'))
      .flatMap((file) => prose(linesOf(file)).filter((line) => line.length > MAX_LINE));
    expect(long).toEqual([]);
  });
});
