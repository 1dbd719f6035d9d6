import { describe, expect, it } from 'vitest';
import { type AgentConfig, agentConfigSchema, checkAgentConfig, PRESET_NAMES } from './config.ts';
import { PRESETS } from './presets.ts';

const defaults = agentConfigSchema.parse({});
const changed = (change: (config: AgentConfig) => void) => {
  const config = structuredClone(defaults);
  change(config);
  return checkAgentConfig(config);
};

describe('presets', () => {
  it.each(PRESET_NAMES)('%s is valid and its derived values agree', (name) => {
    const config = agentConfigSchema.parse({ preset: name, ...PRESETS[name] });
    expect(checkAgentConfig(config)).toEqual([]);
    expect(config.uplink.ackTimeoutMs).toBeLessThan(config.uplink.breakerOpenMs);
    expect(config.journal.maxBytes).toBeGreaterThan(4 * 256 * 1024);
  });

  it('gives the documented figures', () => {
    expect(defaults.uplink).toMatchObject({
      backoffInitialMs: 1_000,
      backoffMaxMs: 60_000,
      ackTimeoutMs: 10_000,
      breakerFailures: 5,
      breakerOpenMs: 60_000,
      breakerProbes: 2,
      liveLingerMs: 100,
      maxInFlight: 8,
    });
    expect(defaults.journal).toMatchObject({ commitMs: 200, maxBytes: 1024 ** 3 });
    expect(defaults.detect).toMatchObject({ threshold: 3, window: 300, warmUp: 30 });
    expect(PRESETS.satellite).toMatchObject({
      journal: { maxBytes: 2 * 1024 ** 3 },
      uplink: { ackTimeoutMs: 300_000, backoffInitialMs: 5_000, backoffMaxMs: 900_000, breakerFailures: 3 },
    });
    expect(PRESETS['at-sea'].uplink).toMatchObject({ breakerOpenMs: 3_600_000, backoffMaxMs: 600_000 });
  });
});

describe('relations between settings', () => {
  it.each([
    [
      'a quota of a few frames',
      'journal.maxBytes',
      (c: AgentConfig) => {
        c.journal.maxBytes = 4 * 256 * 1024;
      },
    ],
    [
      'an ack timeout as long as the breaker is open',
      'uplink.ackTimeoutMs',
      (c: AgentConfig) => {
        c.uplink.ackTimeoutMs = 60_000;
      },
    ],
    [
      'a backoff that starts above its end',
      'uplink.backoffInitialMs',
      (c: AgentConfig) => {
        c.uplink.backoffInitialMs = 70_000;
      },
    ],
    [
      'a linger beyond the ack timeout',
      'uplink.liveLingerMs',
      (c: AgentConfig) => {
        c.uplink.liveLingerMs = 10_000;
      },
    ],
    [
      'a budget that starves',
      'uplink.maxBytesPerSecond',
      (c: AgentConfig) => {
        c.uplink.maxBytesPerSecond = 100;
      },
    ],
    [
      'closing further out than opening',
      'detect.clearThreshold',
      (c: AgentConfig) => {
        c.detect.clearThreshold = 3.5;
      },
    ],
    [
      'a warm-up longer than the window',
      'detect.warmUp',
      (c: AgentConfig) => {
        c.detect.warmUp = 301;
      },
    ],
    [
      'a source of no known kind',
      'unknown source `hist`; did you mean `host`?',
      (c: AgentConfig) => {
        c.source = ['sim:hz=1', 'hist'];
      },
    ],
    [
      'an unknown option of a source',
      'did you mean `hz`',
      (c: AgentConfig) => {
        c.source = ['sim:hzz=1', 'sim:hz=2'];
      },
    ],
    [
      'two sources of one name',
      'named `a` already',
      (c: AgentConfig) => {
        c.source = ['sim:name=a', 'sim', 'csv:path=x,name=a'];
      },
    ],
  ])('%s is named', (_what, setting, change) => {
    const problems = changed(change);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(setting);
  });
});

describe('agentConfigSchema', () => {
  it('refuses unknown keys and other protocols', () => {
    expect(agentConfigSchema.safeParse({ hqq: 'x' }).success).toBe(false);
    expect(agentConfigSchema.safeParse({ uplink: { retries: 3 } }).success).toBe(false);
    expect(agentConfigSchema.safeParse({ hq: 'ftp://example.org' }).success).toBe(false);
  });

  it('describes every setting', () => {
    const walk = (schema: unknown, path: string): string[] => {
      const node = schema as { type?: string; properties?: Record<string, unknown>; description?: string };
      if (node.properties !== undefined)
        return Object.entries(node.properties).flatMap(([key, child]) => walk(child, `${path}.${key}`));
      return node.description === undefined ? [path] : [];
    };
    expect(walk(agentConfigSchema.toJSONSchema({ io: 'input' }), 'agent')).toEqual([]);
  });
});
