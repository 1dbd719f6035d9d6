import { describe, expect, it } from 'vitest';
import { agentConfigSchema, checkAgentConfig } from '../../agent/config.ts';
import { ConfigError, type LoadRequest, loadSettings } from '../../settings/load.ts';
import { AGENT_LEAVES } from './agent-settings.ts';
import { configurationPage } from './page.ts';

type Given = Partial<Pick<LoadRequest<unknown>, 'flags' | 'environment' | 'file'>>;

const load = (given: Given) =>
  loadSettings({
    schema: agentConfigSchema,
    flags: new Map(),
    environment: {},
    file: null,
    foreignEnvironment: new Set(),
    check: checkAgentConfig,
    ...given,
  }).config.uplink;

const problemOf = (given: Given): string => {
  try {
    load(given);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.join('\n');
    throw error;
  }
  return '';
};

describe('bytes of a time', () => {
  it.each(['maxBytesPerSecond', 'maxBytesPerDay', 'maxBytesPerMonth'] as const)('%s takes sizes', (name) => {
    const path = `uplink.${name}`;
    const leaf = AGENT_LEAVES.find((one) => one.path === path);
    expect(load({ flags: new Map([[path, '1MiB']]) })[name]).toBe(1_048_576);
    expect(load({ environment: { [leaf?.env ?? '']: '2GB' } })[name]).toBe(2_000_000_000);
    expect(load({ file: { name: 'a.yaml', text: `uplink:\n  ${name}: 512KiB\n` } })[name]).toBe(524_288);
  });

  it.each(['maxBytesPerDay', 'maxBytesPerMonth'])('%s is refused as the documentation says', (name) => {
    const path = `uplink.${name}`;
    expect(configurationPage()).toContain(`| \`${path}\` | \`0\` | 0, or 100000 to 1125899906842624 |`);
    for (const few of ['1', '99999', '64KiB'])
      expect(problemOf({ flags: new Map([[path, few]]) })).toContain(
        'must be 0, for no limit, or at least 100000',
      );
    expect(problemOf({ flags: new Map([[path, '0']]) })).toBe('');
    expect(problemOf({ flags: new Map([[path, '100000']]) })).toBe('');
  });
});
