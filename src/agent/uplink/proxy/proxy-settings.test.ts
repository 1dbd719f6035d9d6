import { describe, expect, it } from 'vitest';
import { ProxySettingError, proxyAuthorization, proxyFor } from './proxy-settings.ts';

const shown = (address: string, environment: Record<string, string>) =>
  proxyFor(address, environment)?.shown ?? null;
const PROXY = 'http://proxy:3128';

describe('the proxy that leads to an address', () => {
  it.each<[string, Record<string, string>, string | null]>([
    ['https://hq', { HTTPS_PROXY: PROXY }, PROXY],
    ['https://hq', { https_proxy: PROXY }, PROXY],
    ['https://hq', { HTTP_PROXY: PROXY }, null],
    ['http://hq', { HTTP_PROXY: PROXY }, PROXY],
    ['http://hq', { ALL_PROXY: PROXY }, PROXY],
    ['http://hq', { HTTP_PROXY: 'proxy:3128' }, PROXY],
    ['http://hq', { HTTP_PROXY: '' }, null],
    ['http://hq', {}, null],
    ['http://localhost:8000', { HTTP_PROXY: PROXY }, null],
    ['http://127.0.0.1:8000', { HTTP_PROXY: PROXY }, null],
    ['http://[::1]:8000', { HTTP_PROXY: PROXY }, null],
  ])('%s with %j is %s', (address, environment, proxy) => expect(shown(address, environment)).toBe(proxy));

  it.each([
    ['*', true],
    ['hq.example.net', true],
    ['example.net', true],
    ['.example.net', true],
    ['*.example.net', true],
    ['other.net, HQ.example.net', true],
    ['other.net hq.example.net:8443', true],
    ['hq.example.net:443', false],
    ['ample.net', false],
    ['.hq.example.net', false],
    ['example.org', false],
  ])('is none where NO_PROXY is "%s": %s', (exceptions, isNone) => {
    const environment = { HTTPS_PROXY: PROXY, NO_PROXY: exceptions };
    expect(shown('https://hq.example.net:8443/path', environment) === null).toBe(isNone);
  });

  it('tells user and password to the proxy alone', () => {
    const proxy = proxyFor('https://hq', { HTTPS_PROXY: 'http://joe:s3%40cret%@proxy:3128' });
    if (proxy === null) throw new Error('no proxy');
    expect(proxy.shown).toBe(PROXY);
    expect(proxyAuthorization({ ...proxy, url: new URL('http://joe:s3%40cret@proxy') })).toBe(
      `Basic ${Buffer.from('joe:s3@cret').toString('base64')}`,
    );
    expect(proxyAuthorization({ ...proxy, url: new URL(PROXY) })).toBeNull();
  });

  it.each(['socks5://joe:s3cret@proxy', 'http://', 'http://joe:s3cret@'])('cannot be %s', (text) => {
    expect(() => proxyFor('https://hq', { HTTPS_PROXY: text })).toThrow(ProxySettingError);
    expect(() => proxyFor('https://hq', { HTTPS_PROXY: text })).not.toThrow(/s3cret/);
    expect(() => proxyFor('https://hq', { HTTPS_PROXY: text })).toThrow(/HTTPS_PROXY/);
  });
});
