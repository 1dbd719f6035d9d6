import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary.ts';

const root = join(import.meta.dirname, '../..');

const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => /\.(ts|tsx|js|css)$/.test(file));

/** What is banned, where it is allowed, and what to write instead. */
const BANNED: readonly { pattern: RegExp; instead: string; allowed: RegExp }[] = [
  { pattern: /\bDate\.now\(/, instead: 'clock.now()', allowed: /^src\/(platform|dashboard)\// },
  { pattern: /\bnew Date\(\)/, instead: 'clock.now()', allowed: /^src\/(platform|dashboard)\// },
  { pattern: /\bperformance\.now\(/, instead: 'clock.precise()', allowed: /^src\/(platform|dashboard)\// },
  { pattern: /\bMath\.random\b/, instead: 'random.next()', allowed: /^src\/(platform|dashboard)\// },
  {
    pattern: /\bset(Timeout|Interval)\(/,
    instead: 'clock.scheduler',
    allowed: /^src\/(platform|dashboard)\//,
  },
  { pattern: /\basyncScheduler\b/, instead: 'clock.scheduler', allowed: /^src\/platform\// },
  {
    pattern: /\bprocess\.exit\(/,
    instead: 'leaveDone() or leaveNow()',
    allowed: /^src\/platform\/leave\.ts$/,
  },
  { pattern: /@ts-(ignore|nocheck|expect-error)/, instead: 'a type that holds', allowed: /^$/ },
  { pattern: /\b(TODO|FIXME|XXX)\b/, instead: 'doing it, or an issue', allowed: /^$/ },
  {
    pattern: /\bconsole\.(log|info|warn|error|debug)\(/,
    instead: 'the logger or an output stream',
    allowed: /^$/,
  },
  {
    pattern: /instanceof Error \? [\w.]+\.message/,
    instead: 'errorText()',
    allowed: /^src\/(platform|dashboard\/state)\/error-text\.ts$/,
  },
  {
    pattern: /\b(courier|conversation|guest|welcome|acquit|condemn|spoilable|weather\$|drainTurns)\b/i,
    instead:
      'the word that the field has for it (frame sender, session, peer, hello, rejected, chaosPhase$ …)',
    allowed: /^src\/(dashboard|agent\/sources\/host)\//,
  },
  {
    pattern: /\bgreet(s|ed)?\b|noteGreeting|hasBeenGreeted/,
    instead: 'hello, accept',
    allowed: /^$/,
  },
  { pattern: /\b(books?|booked|booking)\b|[a-z]Books?\b/, instead: 'ledger, account', allowed: /^$/ },
  {
    pattern: /\bseal(s|ed|ing)?\b|sealSamples/,
    instead: 'compact, compaction',
    // A frame is sealed by its checksum, a record by its own.
    allowed: /^src\/(protocol|storage)\//,
  },
  { pattern: /\b(?!pending)[a-z]+Thinned\b|\bthinned[A-Z]/, instead: 'downsampled', allowed: /^$/ },
  { pattern: /\b(whoever|anew)\b/, instead: 'who, the caller; again', allowed: /^$/ },
  { pattern: /\bas any\b|: any\b/, instead: 'unknown and a parse', allowed: /^$/ },
];

const isProduct = (file: string) =>
  file.startsWith('src/') && !/(\/testing\/|\.(test|contract)\.tsx?$)/.test(file);
/** Code without comments and strings' usual places: a ban is about code, not about talk of it. */
const codeOf = (line: string) => line.replace(/\/\/.*$/, '').replace(/^\s*\*.*$/, '');

function violations(file: string, text: string): string[] {
  return text
    .split('\n')
    .flatMap((line, index) =>
      BANNED.filter(({ pattern, allowed }) => !allowed.test(file) && pattern.test(codeOf(line))).map(
        ({ pattern, instead }) => `${file}:${index + 1} ${pattern.source}: use ${instead}`,
      ),
    );
}

describe('tidiness', () => {
  it('uses nothing that is banned in the product', () => {
    const found = tracked
      .filter(isProduct)
      .flatMap((file) => violations(file, readFileSync(join(root, file), 'utf8')));
    expect(found).toEqual([]);
  });

  it('would notice ambient time', () => {
    expect(violations('src/agent/x.ts', 'const t = Date.now();')).toHaveLength(1);
    expect(violations('src/platform/clock.ts', 'const t = Date.now();')).toHaveLength(0);
  });

  it('has no test that gives up waiting after a second', () => {
    const impatient = tracked
      .filter((file) => /\.tsx?$/.test(file) && !/^tests\/(tidy|support\/eventually)/.test(file))
      .filter((file) =>
        /\b(vi\.waitFor|vi\.waitUntil|expect\.poll)\(/.test(readFileSync(join(root, file), 'utf8')),
      );
    expect(impatient).toEqual([]);
  });

  it('has no test that is left out or run alone', () => {
    const marks = tracked
      .filter((file) => /\.test\.tsx?$/.test(file) && !file.startsWith('tests/tidy/'))
      .flatMap((file) =>
        readFileSync(join(root, file), 'utf8')
          .split('\n')
          .flatMap((line, index) =>
            /\.(only|todo)\(|\b(it|describe|test)\.skip\(/.test(line) ? [`${file}:${index + 1}`] : [],
          ),
      );
    expect(marks).toEqual([]);
  });
});

describe('documentation', () => {
  it('describes settings and folders as they are', () => {
    const node = join(root, 'node_modules/.bin/node');
    execFileSync(node, ['scripts/docs.ts', '--check'], { cwd: root, stdio: 'pipe' });
  });

  const documents = [
    'README.md',
    'CONTRIBUTING.md',
    ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
  ];

  it('names no file of the code that is missing', () => {
    const isThere = (path: string) =>
      existsSync(join(root, path)) ||
      readdirSync(join(root, dirname(path))).some((name) => name.startsWith(`${basename(path)}.`));
    const missing = documents.flatMap((page) =>
      [
        ...readFileSync(join(root, page), 'utf8').matchAll(
          /`((?:src|tests|simulation|benchmarks|scripts|marble-tests)\/[\w./-]+)`/g,
        ),
      ]
        .map((match) => match[1] ?? '')
        .filter((path) => !isThere(path))
        .map((path) => `${page}: ${path}`),
    );
    expect(missing).toEqual([]);
  });

  it('links to nothing that is missing', () => {
    const pages = [...documents, 'CHANGELOG.md'];
    const broken = pages.flatMap((page) =>
      [...readFileSync(join(root, page), 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)]
        .map((match) => join(root, dirname(page), match[1] ?? ''))
        .filter((target) => !existsSync(target))
        .map((target) => `${page}: ${target.slice(root.length + 1)}`),
    );
    expect(broken).toEqual([]);
  });
});

describe('import arrows', () => {
  /** Rules that a source tree breaks in which one module of `part` imports what it must not. */
  function broken(part: string, from: string, name: string): string[] {
    const copy = temporaryFolder();
    for (const file of ['package.json', 'tsconfig.json', '.dependency-cruiser.cjs'])
      copyFileSync(join(root, file), join(copy, file));
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    const module = join(copy, 'src', part, 'bad.ts');
    mkdirSync(dirname(module), { recursive: true });
    writeFileSync(module, `import { ${name} } from '${from}';\nexport const it = ${name};\n`);
    if (from.startsWith('.')) {
      const imported = join(dirname(module), from);
      mkdirSync(dirname(imported), { recursive: true });
      writeFileSync(imported, `export const ${name} = 1;\n`);
    }
    const { stdout } = spawnSync(
      join(root, 'node_modules/.bin/depcruise'),
      ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'src'],
      { cwd: copy, encoding: 'utf8', maxBuffer: 64 * 2 ** 20 },
    );
    return JSON.parse(stdout).summary.violations.map((one: { rule: { name: string } }) => one.rule.name);
  }

  it.each([
    ['protocol', '../platform/ids.ts', 'systemIds', 'protocol-imports'],
    ['delivery', '../agent/uplink/link.ts', 'LinkError', 'delivery-imports'],
    ['delivery', 'socket.io-client', 'io', 'no-transport'],
    ['agent', '../platform/ids.ts', 'systemIds', null],
  ])('notices what %s may not import: %s', (part, from, name, rule) => {
    expect(broken(part, from, name)).toEqual(rule === null ? [] : expect.arrayContaining([rule]));
  });
});
