import { describe, expect, it } from 'vitest';
import { agentConfigSchema } from '../../config.ts';
import { configuredWays, parseRoute, wayProblems } from './configured-ways.ts';

const waysOf = (settings: unknown) =>
  configuredWays(agentConfigSchema.parse(settings)).map(
    ({ way }) => `${way.index} ${way.url} ${way.maxLane}`,
  );

describe('the ways that settings name', () => {
  it.each<[string, unknown, string[]]>([
    ['one address', { hq: 'http://a' }, ['0 http://a backlog']],
    ['several', { hq: ['http://a', 'http://b'] }, ['0 http://a backlog', '1 http://b backlog']],
    [
      'routes after them',
      {
        hq: 'http://a',
        uplink: { routes: [{ url: 'http://sat', maxLane: 'live' }, 'http://c,maxLane=anomalies'] },
      },
      ['0 http://a backlog', '1 http://sat live', '2 http://c anomalies'],
    ],
    [
      'a route to one of them',
      { hq: ['http://a', 'http://b'], uplink: { routes: [{ url: 'http://a', maxLane: 'live' }] } },
      ['0 http://a live', '1 http://b backlog'],
    ],
    [
      'a route to one of them, written otherwise',
      { hq: ['http://a/hq', 'http://b'], uplink: { routes: ['HTTP://A:80/hq/,maxLane=live'] } },
      ['0 http://a/hq live', '1 http://b backlog'],
    ],
  ])('%s', (_what, settings, ways) => expect(waysOf(settings)).toEqual(ways));

  it.each<[string, unknown, string[]]>([
    ['none', { hq: ['http://a', 'http://b', 'http://a/x', 'https://a', 'http://a:81'] }, []],
    ['no route to one of hq', { hq: 'http://a', uplink: { routes: ['http://a,maxLane=live'] } }, []],
    ['hq', { hq: ['http://a', 'http://b', 'http://a'] }, ['hq names http://a twice;']],
    [
      'hq, written otherwise',
      { hq: ['http://a', 'http://A:80/'] },
      ['hq names http://a twice, the second time as http://A:80/;'],
    ],
    [
      'a route',
      { uplink: { routes: ['http://b,maxLane=live', { url: 'http://b' }] } },
      ['uplink.routes names http://b twice;'],
    ],
  ])('finds an address that is named twice: %s', (_what, settings, problems) => {
    const found = wayProblems(agentConfigSchema.parse(settings));
    expect(found.map((problem) => problem.slice(0, problem.indexOf(';') + 1))).toEqual(problems);
  });

  it('is the same setting for one address, as text or as list', () => {
    expect(agentConfigSchema.parse({ hq: ['http://a'] }).hq).toBe('http://a');
  });

  it.each([
    { hq: ['http://a', 'http://joe:s3cret@b'] },
    { hq: [] },
    { uplink: { routes: [{ url: 'http://joe:s3cret@b', maxLane: 'live' }] } },
    { uplink: { routes: ['http://b,maxLane=all'] } },
    { uplink: { routes: [{ url: 'http://b', lane: 'live' }] } },
  ])('refuses %j, without a secret in its words', (settings) => {
    const parsed = agentConfigSchema.safeParse(settings);
    expect(parsed.success).toBe(false);
    expect(parsed.error?.message).not.toContain('s3cret');
  });

  it('reads a route as one text', () => {
    expect(parseRoute('http://b')).toEqual({ route: { url: 'http://b', maxLane: 'backlog' } });
    expect(parseRoute('http://b, maxLane=live')).toEqual({ route: { url: 'http://b', maxLane: 'live' } });
  });
});
