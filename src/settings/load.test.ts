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
      'journal (file f): must be a section, with settings such as journal.commitMs; got a number',
    ],
    ['not YAML', { file: { name: 'f', text: 'a: [' } }, 'not valid YAML'],
    ['not a mapping', { file: { name: 'f', text: '- a' } }, 'mapping'],
    ['a broken relation', { check: () => ['a must be below b'] }, 'a must be below b'],
  ] as const)('explains: %s', (_name, over, expected) => {
    expect(problemsOf(over).join('\n')).toContain(expected);
  });

  it('suggests no setting that shares nothing but its section', () => {
    expect(problemsOf({ file: { name: 'f', text: 'journal: {nonsense: 1}' } })).toEqual([
      'file f: no setting "journal.nonsense"',
    ]);
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

describe('variables that are not ours to read', () => {
  const inCluster = {
    HOLDFAST_SERVICE_HOST: '10.43.7.9',
    HOLDFAST_SERVICE_PORT: '8000',
    HOLDFAST_SERVICE_PORT_HTTP: '8000',
    HOLDFAST_PORT: 'tcp://10.43.7.9:8000',
    HOLDFAST_PORT_8000_TCP: 'tcp://10.43.7.9:8000',
    HOLDFAST_PORT_8000_TCP_PROTO: 'tcp',
    HOLDFAST_PORT_8000_TCP_PORT: '8000',
    HOLDFAST_PORT_8000_TCP_ADDR: '10.43.7.9',
  };
  const withPort = schema.extend({ port: z.number().int().default(1).describe('port') });
  const named = (service: string) =>
    Object.fromEntries(
      Object.entries(inCluster).map(([name, value]) => [name.replace('HOLDFAST', service), value]),
    );

  it.each(['HOLDFAST', 'HOLDFAST_HQ', 'HOLDFAST_AGENT', 'HOLDFAST_JOURNAL_COMMIT'])(
    'those of a Service %s are ignored, and named',
    (service) => {
      const environment = named(service);
      const { config, ignored } = load({ schema: withPort as never, environment });
      expect(config).toMatchObject({ id: 'nobody', port: 1 });
      expect(ignored.toSorted()).toEqual(Object.keys(environment).toSorted());
    },
  );

  it('those of a Docker link are ignored', () => {
    const environment = {
      HOLDFAST_PORT: 'udp://172.17.0.5:8000',
      HOLDFAST_NAME: '/agent/holdfast',
      HOLDFAST_ENV_NODE_VERSION: '24.0.0',
    };
    expect(load({ environment }).ignored.toSorted()).toEqual(Object.keys(environment).toSorted());
  });

  it('a setting of that name still counts, and so does a mistake', () => {
    const environment = { ...inCluster, HOLDFAST_PORT: '9000' };
    expect(load({ schema: withPort as never, environment }).config).toMatchObject({ port: 9000 });
    expect(problemsOf({ environment: { HOLDFAST_NAME: '/x', HOLDFAST_ENV_X: '1' } })).toHaveLength(2);
  });

  it('an empty one counts as unset, whether there is such a setting or not', () => {
    const environment = { HOLDFAST_ID: '', HOLDFAST_JOURNAL_COMMIT_MS: ' ', HOLDFAST_NONESUCH: '' };
    const { config, origins } = load({ environment });
    expect(config).toMatchObject({ id: 'nobody', journal: { commitMs: 200 } });
    expect(origins.get('id')).toBe('default');
  });
});

describe("another component's name for a setting", () => {
  const shared = schema.extend({
    key: z
      .string()
      .optional()
      .meta({ fallback: { variable: 'HOLDFAST_HQ_KEY', unless: ['keyFile'] } }),
    keyFile: z.string().optional(),
  });
  const given = (over: Partial<LoadRequest<Config>>) => {
    const { config, origins } = load({
      schema: shared as never,
      foreignEnvironment: new Set(['HOLDFAST_HQ_KEY']),
      ...over,
    });
    return { key: (config as { key?: string }).key, origin: origins.get('key') };
  };
  const environment = { HOLDFAST_HQ_KEY: 'theirs' };

  it('is taken where nothing else says it', () => {
    expect(given({ environment })).toEqual({ key: 'theirs', origin: 'environment HOLDFAST_HQ_KEY' });
    expect(given({ environment: { HOLDFAST_HQ_KEY: '' } }).key).toBeUndefined();
  });

  it('yields to the setting itself, and to what stands for it', () => {
    expect(given({ environment: { ...environment, HOLDFAST_KEY: 'own' } }).key).toBe('own');
    expect(given({ environment, file: { name: 'f', text: 'key: of-file' } }).key).toBe('of-file');
    expect(given({ environment, flags: new Map([['keyFile', 'x']]) }).key).toBeUndefined();
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
      'journal (file f.yaml): must be a section',
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

  it('are reported together with a file that cannot be used, of which nothing more is said', () => {
    const others = {
      flags: new Map([['anonymous', 'perhaps']]),
      environment: { HOLDFAST_IDD: 'x', HOLDFAST_JOURNAL_COMMIT_MS: '-1' },
      check: () => ['id (nobody) must be somebody.'],
    };
    const told = [
      'environment HOLDFAST_IDD: no such setting; did you mean "HOLDFAST_ID"?',
      'anonymous (flag --anonymous): expected true or false, got "perhaps"',
      'journal.commitMs (environment HOLDFAST_JOURNAL_COMMIT_MS): must be at least 0, not -1',
    ];
    expect(problemsOf({ ...others, file: { name: 'f', text: 'id: [' } })).toEqual([
      expect.stringContaining('file f: not valid YAML'),
      ...told,
    ]);
    expect(problemsOf({ ...others, file: { name: 'f', unreadable: 'there is no such file' } })).toEqual([
      'cannot read the configuration file f: there is no such file',
      ...told,
    ]);
  });

  it('in one list are reported one by one', () => {
    expect(problemsOf({ file: { name: 'f', text: 'source: [a, 1, {b: 2}]' } })).toEqual([
      'source.1 (file f): expected a text, got a number; put it in quotes',
      'source.2 (file f): expected a text, got a map',
    ]);
  });

  it('in a list hide nothing of its other items', () => {
    const check = ({ source }: Config) => source.map((one) => `source "${one}" is unknown`);
    expect(problemsOf({ check, file: { name: 'f', text: 'source: [a, 1, b]' } })).toEqual([
      'source.1 (file f): expected a text, got a number; put it in quotes',
      'source "a" is unknown',
      'source "b" is unknown',
    ]);
  });

  it('leave out none of the relations that hold for what is right', () => {
    expect(problemsOf(request('alarms: {mostA: 3}'))).toEqual([
      expect.stringContaining('alarms.mostA'),
      'journal.commitMs (200) must exceed 1000000.',
      'id (nobody) must be somebody.',
    ]);
  });
});
