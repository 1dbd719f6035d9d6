import { describe, expect, it } from 'vitest';
import { checkHqConfig, hqConfigSchema } from './config.ts';

const check = (settings: Record<string, unknown>) => checkHqConfig(hqConfigSchema.parse(settings));

describe('settings of HQ', () => {
  it('hold together by default', () => {
    expect(check({})).toEqual([]);
  });

  it('refuse a key that does not exist', () => {
    expect(hqConfigSchema.safeParse({ limits: { maxFramBytes: 1 } }).success).toBe(false);
  });

  it('say of every leaf what it is', () => {
    const undescribed = (shape: Record<string, { description?: string | undefined }>, path = ''): string[] =>
      Object.entries(shape).flatMap(([name, leaf]) => {
        const inner = 'unwrap' in leaf && typeof leaf.unwrap === 'function' ? leaf.unwrap() : leaf;
        if ('shape' in inner) return undescribed(inner.shape, `${path}${name}.`);
        return leaf.description === undefined ? [`${path}${name}`] : [];
      });
    expect(undescribed(hqConfigSchema.shape)).toEqual([]);
  });

  it.each([
    [{ host: '0.0.0.0', agentToken: 'agents-12' }, /set operatorToken/],
    [{ host: '10.0.0.1', operatorToken: 'people-12' }, /set agentToken/],
    [{ host: '0.0.0.0', agentToken: 'a', operatorToken: 'people-12' }, /agentToken must have at least 8/],
    [
      { host: '0.0.0.0', agentToken: 'agents-12', operatorToken: 'for people' },
      /operatorToken.*without spaces/,
    ],
    [{ host: '0.0.0.0', agentToken: 'agents-12', operatorToken: 'für-people' }, /operatorToken.*ASCII/],
    [{ agentToken: 'same', operatorToken: 'same' }, /must differ/],
    [{ corsOrigins: ['https://other.example'] }, /corsOrigins needs operatorToken/],
    [{ corsOrigins: ['other.example'], operatorToken: 'o' }, /corsOrigins\.0 is no origin/],
    [{ corsOrigins: ['https://a.example', 'https://b.example/x'], operatorToken: 'o' }, /corsOrigins\.1 is/],
    [{ allowedHosts: ['hq.example', 'http://hq.example'] }, /allowedHosts\.1 is no name of a host/],
    [{ allowedHosts: ['hq.example:8000'] }, /allowedHosts\.0 is no name of a host/],
    [{ retention: { maxBytes: 16 * 1024 * 1024 }, limits: { maxFrameBytes: 1024 * 1024 } }, /64 frames/],
    [{ socket: { pingIntervalMs: 1000, pingTimeoutMs: 5000 } }, /pingTimeoutMs/],
    [{ dashboard: { updateMs: 5000, stallMs: 1000 } }, /stallMs/],
  ])('refuse %o', (settings, message) => {
    expect(check(settings)).toEqual([expect.stringMatching(message)]);
  });

  it('ask for both tokens where others reach HQ', () => {
    expect(check({ host: '0.0.0.0' })).toEqual([
      expect.stringMatching(/set agentToken \(HOLDFAST_AGENT_TOKEN or --agent-token-file\).*allowAnonymous/),
      expect.stringMatching(/set operatorToken \(HOLDFAST_OPERATOR_TOKEN or --operator-token-file\)/),
    ]);
    expect(check({ host: '0.0.0.0', agentTokenFile: 'a', operatorTokenFile: 'o' })).toEqual([]);
  });

  it.each([
    { host: '0.0.0.0', allowAnonymous: true },
    { host: '0.0.0.0', agentToken: 'agents-12', operatorToken: 'people-12' },
    { agentToken: 'a', operatorToken: 'o' },
    { host: 'localhost' },
    { host: '::1' },
  ])('accept %o', (settings) => {
    expect(check(settings)).toEqual([]);
  });
});
