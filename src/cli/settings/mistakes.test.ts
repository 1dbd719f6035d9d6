/** What people read who have set something wrong: all of it at once, in their words, with what to do. */
import { describe, expect, it } from 'vitest';
import { agentConfigSchema, checkAgentConfig } from '../../agent/config.ts';
import { PRESETS } from '../../agent/presets.ts';
import { checkHqConfig, hqConfigSchema } from '../../hq/config.ts';
import { ConfigError, type LoadRequest, loadSettings } from '../../settings/load.ts';

type Given = Partial<Pick<LoadRequest<unknown>, 'flags' | 'environment' | 'file'>>;
const NOTHING = { flags: new Map(), environment: {}, file: null, foreignEnvironment: new Set<string>() };

const COMPONENTS = {
  agent: (given: Given) =>
    loadSettings({
      ...NOTHING,
      schema: agentConfigSchema,
      presets: PRESETS,
      check: checkAgentConfig,
      ...given,
    }),
  hq: (given: Given) => loadSettings({ ...NOTHING, schema: hqConfigSchema, check: checkHqConfig, ...given }),
};

function problemsOf(component: keyof typeof COMPONENTS, given: Given): readonly string[] {
  try {
    COMPONENTS[component](given);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}
const yaml = (text: string): Given => ({ file: { name: 'f.yaml', text } });
const flag = (path: string, text: string): Given => ({ flags: new Map([[path, text]]) });

/** By number, so that one who adds a case sees which is which. */
const MISTAKES: readonly (readonly [keyof typeof COMPONENTS, Given])[] = [
  ['agent', yaml('journal: 5')],
  ['agent', yaml('journal: [commitMs]')],
  ['agent', yaml('preset: lann\njournal: text\nid: 7\nuplink: {ackTimeoutMs: soon, nonsense: 1}')],
  ['agent', yaml('journal: {maxBytes: 4X}')],
  ['agent', yaml('journal: {maxBytes: 1}')],
  ['agent', yaml('journal: {commitMs: 1.5}')],
  ['agent', yaml('journal: {overflow: drop}')],
  ['agent', yaml('uplink: {backoffMaxMs: 30m1h}')],
  ['agent', yaml('uplink: {breakerFailures: .inf}')],
  ['agent', yaml('uplink: {breakerFailures: .nan}')],
  ['agent', yaml('uplink: {windows: 22:00}')],
  ['agent', yaml('uplink: {windows: [25:00-26:00]}')],
  ['agent', yaml('uplink: {routes: [{maxLane: live}]}')],
  ['agent', yaml('uplink: {routes: [ftp://h]}')],
  ['agent', yaml('source: [host:evry=1s, nothing, 5, {kind: csv}]')],
  ['agent', yaml('source: []')],
  ['agent', yaml('source: [sim:hz=0, "csv:speed=max"]')],
  ['agent', yaml('hq: joe:secret@hq')],
  ['agent', yaml('hq: 8000')],
  ['agent', yaml('id: "two words"')],
  ['agent', yaml('token: a\ntokenFile: b')],
  ['agent', yaml('token: [a]')],
  ['agent', yaml('detect: {threshold: 1, clearThreshold: 2, window: 5, warmUp: 9}')],
  ['agent', yaml('detect: {limits: ["sim.*:mni=9"]}')],
  ['agent', yaml('logLevel: verbose')],
  ['agent', yaml('a: {b: 1}\n- c')],
  ['agent', yaml('just a text')],
  ['agent', flag('healthPort', 'eight')],
  ['agent', { environment: { HOLDFAST_JOURNAL_MAX_BYTES: '4 elephants', HOLDFAST_HEALTHPORT: '1' } }],
  ['hq', yaml('port: 65536\nhost: 0.0.0.0\nchaos: total\nagentToken: 5')],
  ['hq', yaml('limits: {maxFrameBytes: 1kB}\nretention: {rawDays: for ever}')],
  ['hq', yaml('allowAnonymous: perhaps\ntrustProxy: 1\ncorsOrigins: https://a.example')],
  ['hq', yaml('corsOrigins: [5]\nallowedHosts: {a: b}')],
  ['hq', yaml('dashboard: {updateMs: 5s, stallMs: 1s}\nsocket: {pingTimeoutMs: 1h}')],
];

/** Words of zod, and of JavaScript. */
const FOREIGN =
  /\b(invalid|input|received|expected (string|number|object|array)|undefined|null|zod|regex)\b/i;

describe('thirty bad configurations', () => {
  it.each(MISTAKES.map(([component, given], index) => ({ index, component, given })))(
    '$index: $component',
    ({ component, given }) => {
      const problems = problemsOf(component, given);
      expect(problems).toMatchSnapshot();
      expect(problems.length).toBeGreaterThan(0);
      for (const problem of problems) expect(problem).not.toMatch(FOREIGN);
    },
  );

  it('are thirty at least', () => {
    expect(MISTAKES.length).toBeGreaterThanOrEqual(30);
  });
});

describe('sizes and durations', () => {
  it('are taken as people write them, wherever they stand', () => {
    const expected = { journal: { maxBytes: 4 * 2 ** 30 }, uplink: { backoffMaxMs: 5_400_000 } };
    expect(
      COMPONENTS.agent(yaml('journal: {maxBytes: 4G}\nuplink: {backoffMaxMs: 1h30m}')).config,
    ).toMatchObject(expected);
    expect(
      COMPONENTS.agent({
        flags: new Map([['journal.maxBytes', '4G']]),
        environment: { HOLDFAST_UPLINK_BACKOFF_MAX_MS: '1h30m' },
      }).config,
    ).toMatchObject(expected);
  });
});
