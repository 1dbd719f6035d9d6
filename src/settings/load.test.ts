import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { leavesOf } from './leaves.ts';
import { ConfigError, type LoadRequest, loadSettings } from './load.ts';

const schema = z.object({
  id: z.string().default('nobody').describe('name'),
  preset: z.enum(['lan', 'far']).default('lan').describe('preset'),
  source: z.array(z.string()).default([]).describe('sources'),
  journal: z
    .object({
      commitMs: z.number().int().min(0).default(200).describe('commit'),
      maxBytes: z.number().int().min(1).default(1024).describe('quota'),
    })
    .prefault({}),
  anonymous: z.boolean().default(false).describe('open'),
});

type Config = z.infer<typeof schema>;

const load = (over: Partial<LoadRequest<Config>> = {}) =>
  loadSettings<Config>({
    schema,
    flags: new Map(),
    environment: {},
    file: null,
    presets: { lan: {}, far: { journal: { commitMs: 5000, maxBytes: 9 } } },
    foreignEnvironment: new Set(['HOLDFAST_PORT']),
    check: () => [],
    ...over,
  });

const problemsOf = (over: Partial<LoadRequest<Config>>): readonly string[] => {
  try {
    load(over);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
};

describe('names of settings', () => {
  it('derives flag and environment variable from the path', () => {
    expect(leavesOf(schema).map(({ path, flag, env, type }) => [path, flag, env, type])).toContainEqual([
      'journal.commitMs',
      '--journal-commit-ms',
      'HOLDFAST_JOURNAL_COMMIT_MS',
      'number',
    ]);
  });
});

describe('precedence', () => {
  it('uses the defaults when nothing is given', () => {
    const { config, origins } = load();
    expect(config).toEqual({
      id: 'nobody',
      preset: 'lan',
      source: [],
      journal: { commitMs: 200, maxBytes: 1024 },
      anonymous: false,
    });
    expect(origins.get('id')).toBe('default');
  });

  it('lets flags win over environment, environment over file, file over preset', () => {
    const { config, origins } = load({
      flags: new Map([['id', 'by-flag']]),
      environment: { HOLDFAST_ID: 'by-env', HOLDFAST_JOURNAL_COMMIT_MS: '1s', PATH: '/bin' },
      file: { name: 'a.yaml', text: 'id: by-file\npreset: far\njournal:\n  commitMs: 7\n  maxBytes: 1KiB\n' },
    });
    expect(config.id).toBe('by-flag');
    expect(config.journal).toEqual({ commitMs: 1000, maxBytes: 1024 });
    expect([...origins]).toEqual([
      ['id', 'flag --id'],
      ['preset', 'file a.yaml'],
      ['source', 'default'],
      ['journal.commitMs', 'environment HOLDFAST_JOURNAL_COMMIT_MS'],
      ['journal.maxBytes', 'file a.yaml'],
      ['anonymous', 'default'],
    ]);
  });

  it('puts a preset above the defaults', () => {
    const { config, origins } = load({ environment: { HOLDFAST_PRESET: 'far' } });
    expect(config.journal).toEqual({ commitMs: 5000, maxBytes: 9 });
    expect(origins.get('journal.maxBytes')).toBe('preset far');
  });
});

describe('values', () => {
  it('splits lists in the environment and takes them whole from flags and files', () => {
    expect(load({ environment: { HOLDFAST_SOURCE: 'a:x=1,y=2; b' } }).config.source).toEqual([
      'a:x=1,y=2',
      'b',
    ]);
    expect(load({ flags: new Map([['source', ['a;b']]]) }).config.source).toEqual(['a;b']);
    expect(load({ file: { name: 'f', text: 'source: one' } }).config.source).toEqual(['one']);
  });

  it('reads booleans', () => {
    expect(load({ environment: { HOLDFAST_ANONYMOUS: 'yes' } }).config.anonymous).toBe(true);
    expect(load({ flags: new Map([['anonymous', true]]) }).config.anonymous).toBe(true);
  });
});

describe('mistakes', () => {
  it.each([
    [
      'unknown key',
      { file: { name: 'f', text: 'journal:\n  comitMs: 3' } },
      'did you mean "journal.commitMs"',
    ],
    [
      'unknown branch',
      { file: { name: 'f', text: 'journl:\n  commitMs: 3' } },
      'no setting "journl"; did you mean "journal"?',
    ],
    [
      'dotted path in an unknown branch',
      { file: { name: 'f', text: 'journl.commitMs: 3' } },
      'did you mean "journal.commitMs"?',
    ],
    ['unknown variable', { environment: { HOLDFAST_IDD: 'x' } }, 'did you mean "HOLDFAST_ID"'],
    [
      'unknown preset',
      { environment: { HOLDFAST_PRESET: 'fra' } },
      'preset (environment HOLDFAST_PRESET): no preset "fra"; expected one of "lan"|"far"; did you mean "far"?',
    ],
    [
      'unknown preset unlike any',
      { file: { name: 'f.yaml', text: 'preset: moon' } },
      'preset (file f.yaml): no preset "moon"; expected one of "lan"|"far"',
    ],
    ['text for a number', { environment: { HOLDFAST_JOURNAL_COMMIT_MS: 'soon' } }, 'expected a number'],
    [
      'out of bounds',
      { environment: { HOLDFAST_JOURNAL_COMMIT_MS: '-1' } },
      'journal.commitMs (environment HOLDFAST_JOURNAL_COMMIT_MS): must be at least 0, not -1',
    ],
    [
      'wrong type in the file',
      { file: { name: 'f.yaml', text: 'journal:\n  commitMs: [1]' } },
      'journal.commitMs (file f.yaml)',
    ],
    [
      'a scalar for a branch',
      { file: { name: 'f', text: 'journal: 3' } },
      'file f: "journal" holds settings such as journal.commitMs; expected a map, got a number',
    ],
    ['not YAML', { file: { name: 'f', text: 'a: [' } }, 'not valid YAML'],
    ['not a mapping', { file: { name: 'f', text: '- a' } }, 'mapping'],
    ['a broken relation', { check: () => ['a must be below b'] }, 'a must be below b'],
  ] as const)('explains: %s', (_name, over, expected) => {
    expect(problemsOf(over).join('\n')).toContain(expected);
  });

  it('suggests no variable that shares nothing but the prefix', () => {
    expect(problemsOf({ environment: { HOLDFAST_NOPE: 'x' } })).toEqual([
      'environment HOLDFAST_NOPE: no such setting',
    ]);
  });

  it('says the narrower of two bounds', () => {
    const text = 'journal:\n  commitMs: 1e99';
    const narrow = schema.extend({
      journal: z.object({ commitMs: z.int().max(60_000).default(200) }).prefault({}),
    });
    expect(problemsOf({ schema: narrow as never, file: { name: 'f', text } })).toEqual([
      'journal.commitMs (file f): must be at most 60000, not 1e+99',
    ]);
  });

  it('takes a branch without settings', () => {
    expect(problemsOf({ file: { name: 'f', text: 'journal:\n#  commitMs: 3\n' } })).toEqual([]);
  });

  it('accepts variables of other components and empty files', () => {
    expect(problemsOf({ environment: { HOLDFAST_PORT: '1' }, file: { name: 'f', text: '' } })).toEqual([]);
  });
});

describe('several faults', () => {
  const text = [
    'journal: 5',
    'sourse: a',
    'id: 7',
    'anonymous: perhaps',
    'preset: near',
    'source: [x]',
    'alarms: {mostA: 3}',
  ].join('\n');
  const wide = schema.extend({
    alarms: z
      .object({
        mostA: z.number().int().max(2).default(1).describe('a'),
        mostB: z.number().int().default(1).describe('b'),
      })
      .prefault({}),
  });
  const request = (file: string): Partial<LoadRequest<Config>> => ({
    schema: wide,
    file: { name: 'f.yaml', text: file },
    check: ({ id, source, journal }) => [
      ...(source.includes('x') ? ['source has "x", which there is not.'] : []),
      `journal.commitMs (${journal.commitMs}) must exceed 1000000.`,
      ...(id === 'nobody' ? ['id (nobody) must be somebody.'] : []),
    ],
  });

  it('are reported all at once, of whatever kind', () => {
    const problems = problemsOf(request(text));
    for (const part of [
      '"journal"',
      '"sourse"',
      'id (file f.yaml)',
      'anonymous',
      'no preset "near"',
      'alarms.mostA',
      'source has "x"',
    ])
      expect(
        problems.filter((one) => one.includes(part)),
        part,
      ).toHaveLength(1);
    // What is a default because what was given is at fault is no fault.
    expect(problems.join()).not.toContain('must exceed');
    expect(problems.join()).not.toContain('somebody');
    expect(problems).toHaveLength(7);
  });

  it('leave out none of the relations that hold for what is right', () => {
    expect(problemsOf(request('alarms: {mostA: 3}'))).toEqual([
      expect.stringContaining('alarms.mostA'),
      'journal.commitMs (200) must exceed 1000000.',
      'id (nobody) must be somebody.',
    ]);
  });
});
