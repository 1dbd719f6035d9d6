/** The recipes of CONTRIBUTING.md: a source, an operator, a message and a setting are added as they say. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const bin = (name: string) => join(root, 'node_modules/.bin', name);
/** Also what tidy.test.ts puts there for a moment. */
const isTest = /(\/testing\/|\.(test|contract)\.tsx?$)/;

/** Files that are new. */
const FILES: Readonly<Record<string, string>> = {
  'tide.ts.txt': 'src/agent/sources/tide/tide.ts',
  'doubled.ts.txt': 'src/streams/doubled.ts',
  'wave.ts.txt': 'src/hq/ingest/core/handlers/wave.ts',
  'check.ts.txt': 'check.ts',
};

/** Lines that are new, each after one that is there. */
const LINES: readonly { readonly file: string; readonly after: string; readonly line: string }[] = [
  {
    file: 'src/agent/sources/kinds.ts',
    after: "import { simSource } from './sim/sim.ts';",
    line: "import { tideSource } from './tide/tide.ts';",
  },
  { file: 'src/agent/sources/kinds.ts', after: '  sim: simSource,', line: '  tide: tideSource,' },
  {
    file: 'src/streams/index.ts',
    after: "export { conflate } from './conflate.ts';",
    line: "export { doubled } from './doubled.ts';",
  },
  {
    file: 'src/protocol/agent-messages.ts',
    after: '  goodbye: { args: [Goodbye]; reply: OkReply };',
    line: '  wave: { args: [{ readonly times: number }]; reply: OkReply };',
  },
  {
    file: 'src/protocol/agent-messages.ts',
    after: '  goodbye: { args: z.tuple([goodbyeSchema]), reply: okReplySchema },',
    line: '  wave: { args: z.tuple([z.object({ times: z.number() })]), reply: okReplySchema },',
  },
  {
    file: 'src/hq/ingest/core/handlers/handlers.ts',
    after: "import { handleSchema } from './schema.ts';",
    line: "import { handleWave } from './wave.ts';",
  },
  {
    file: 'src/hq/ingest/core/handlers/handlers.ts',
    after: '  goodbye: handleGoodbye,',
    line: '  wave: handleWave,',
  },
  {
    file: 'src/agent/config.ts',
    after: 'export const agentConfigSchema = z.strictObject({',
    line: "  siestaMs: z.number().default(0).meta({ description: 'How long it rests at noon, ms.' }),",
  },
];

describe('the recipes', () => {
  const tree = mkdtempSync(join(tmpdir(), 'holdfast-recipes-'));
  afterAll(() => rmSync(tree, { recursive: true }));

  beforeAll(() => {
    cpSync(join(root, 'src'), join(tree, 'src'), {
      recursive: true,
      filter: (path) => !isTest.test(path.endsWith('/testing') ? `${path}/` : path),
    });
    cpSync(join(root, 'package.json'), join(tree, 'package.json'));
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
    const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'));
    writeFileSync(
      join(tree, 'tsconfig.json'),
      // Agent, HQ and command hang on what it imports.
      JSON.stringify({ compilerOptions, include: ['check.ts'] }),
    );
    for (const [from, to] of Object.entries(FILES)) {
      mkdirSync(dirname(join(tree, to)), { recursive: true });
      cpSync(join(import.meta.dirname, 'recipes', from), join(tree, to));
    }
    for (const { file, after, line } of LINES) {
      const text = readFileSync(join(tree, file), 'utf8');
      expect(text.split(`${after}\n`), `${file} has one line "${after}"`).toHaveLength(2);
      writeFileSync(
        join(tree, file),
        text.replace(`${after}\n`, () => `${after}\n${line}\n`),
      );
    }
  });

  it('need nothing else for the types to fit', () => {
    let found = '';
    try {
      execFileSync(bin('tsc'), ['-p', tree], { encoding: 'utf8' });
    } catch (error) {
      found = (error as { readonly stdout: string }).stdout;
    }
    expect(found).toBe('');
  });

  it('need nothing else for what is new to work', () => {
    const output = execFileSync(bin('node'), ['check.ts'], { cwd: tree, encoding: 'utf8' });
    expect(JSON.parse(output)).toEqual({
      source: ['tide', [4.5]],
      operator: 42,
      message: [true, { ok: true }, 2],
      setting: [0, 'HOLDFAST_SIESTA_MS', true],
      documented: true,
    });
  });
});
