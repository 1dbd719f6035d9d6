import { firstValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  type Access,
  type AccessRequest,
  bearerToken,
  createAccess,
  handshakeRequest,
  isLoopback,
  type Role,
} from './access.ts';

const open = createAccess({ agentToken: '', operatorToken: '', allowedHosts: ['hq.example'] });
const closed = createAccess({ agentToken: 'agents only', operatorToken: 'people only', allowedHosts: [] });
const request = (over: Partial<AccessRequest> = {}): AccessRequest => ({
  token: undefined,
  host: '127.0.0.1:8000',
  origin: undefined,
  ...over,
});

const admission = (access: Access, role: Role, of: AccessRequest) => firstValueFrom(access.admit(role, of));

describe('access with tokens', () => {
  it.each([
    { role: 'agent', token: 'agents only', ok: true },
    { role: 'operator', token: 'people only', ok: true },
    { role: 'agent', token: 'people only', ok: false },
    { role: 'operator', token: 'agents only', ok: false },
    { role: 'agent', token: 'agents onl', ok: false },
    { role: 'agent', token: 'agents only ', ok: false },
    { role: 'agent', token: '', ok: false },
    { role: 'operator', token: undefined, ok: false },
  ] as const)('lets $role with "$token" in: $ok', async ({ role, token, ok }) => {
    expect((await admission(closed, role, request({ token }))).ok).toBe(ok);
  });

  it('asks for the token only, not for the name under which HQ is reached', async () => {
    expect(
      (await admission(closed, 'operator', request({ token: 'people only', host: 'anything.example' }))).ok,
    ).toBe(true);
  });
});

describe('whom HQ lets in', () => {
  it('is a principal with its role, and what shows it', async () => {
    const byToken = { role: 'agent', shownBy: 'token' };
    expect(await admission(closed, 'agent', request({ token: 'agents only' }))).toEqual({
      ok: true,
      principal: byToken,
    });
    const byPlace = { role: 'operator', shownBy: 'place' };
    expect(await admission(open, 'operator', request())).toEqual({ ok: true, principal: byPlace });
  });
});

describe('access without tokens', () => {
  it.each([
    '127.0.0.1:8000',
    'localhost:8000',
    'dev.localhost',
    '[::1]:8000',
    '192.168.1.5:8000',
    'hq.example',
    'HQ.example:1',
  ])('lets a reader in under %s', async (host) => {
    expect((await admission(open, 'operator', request({ host }))).ok).toBe(true);
  });

  it.each([
    'evil.example',
    'evil.example:8000',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '',
    undefined,
  ])('keeps a reader out under the name %s, to which a page may have rebound it', async (host) => {
    expect(await admission(open, 'operator', request({ host }))).toMatchObject({ ok: false, reason: 'host' });
  });

  it('lets agents in under any name', async () => {
    expect((await admission(open, 'agent', request({ host: 'whatever.example' }))).ok).toBe(true);
  });

  it.each(['agent', 'operator'] as const)('keeps pages of other sites out of what %ss do', async (role) => {
    const foreign = request({ origin: 'http://evil.example' });
    expect(await admission(open, role, foreign)).toMatchObject({ ok: false, reason: 'origin' });
    expect(await admission(open, role, request({ origin: 'null' }))).toMatchObject({
      ok: false,
      reason: 'origin',
    });
    expect((await admission(open, role, request({ origin: 'http://127.0.0.1:9000' }))).ok).toBe(false);
    expect((await admission(open, role, request({ origin: 'http://127.0.0.1:8000' }))).ok).toBe(true);
  });

  it('keeps a page out that had its own name rebound', async () => {
    const rebound = request({ host: 'evil.example', origin: 'http://evil.example' });
    expect(await admission(open, 'agent', rebound)).toMatchObject({ ok: false, reason: 'host' });
  });
});

describe('tokens', () => {
  it('names the roles that use a published demo token', () => {
    const options = { agentToken: 'holdfast-demo-agent', operatorToken: 'a secret', allowedHosts: [] };
    expect(createAccess(options).demoRoles).toEqual(['agent']);
    expect(open.demoRoles).toEqual([]);
  });

  it('reads a bearer token', () => {
    expect(bearerToken('Bearer abc')).toBe('abc');
    expect(bearerToken('bearer abc ')).toBe('abc');
    expect(bearerToken('Basic abc')).toBeUndefined();
    expect(bearerToken('Bearer a b')).toBeUndefined();
    expect(bearerToken(undefined)).toBeUndefined();
  });

  it('reads the token of a handshake, and nothing that is no text', () => {
    expect(handshakeRequest({ auth: { token: 'abc' }, headers: { host: 'h' } })).toEqual({
      token: 'abc',
      host: 'h',
      origin: undefined,
    });
    for (const auth of [null, undefined, 'abc', { token: 5 }, { token: ['abc'] }, { token: '' }]) {
      expect(handshakeRequest({ auth, headers: {} }).token).toBeUndefined();
    }
  });
});

describe('loopback', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.8.9.1', true],
    ['localhost', true],
    ['::1', true],
    ['[::1]', true],
    ['0.0.0.0', false],
    ['::', false],
    ['192.168.0.1', false],
    ['127.0.0.1.evil.example', false],
    ['', false],
  ])('%s: %s', (host, expected) => {
    expect(isLoopback(host)).toBe(expected);
  });
});

describe('before it is known who a request is', () => {
  const foreign = { host: 'evil.example:8000', origin: 'http://evil.example:8000' };

  it('a page to which the name of HQ was rebound is refused, where a token is not asked of everyone', () => {
    expect(open.objection(foreign)).toContain('evil.example');
    const halfOpen = createAccess({ agentToken: '', operatorToken: 'people only', allowedHosts: [] });
    expect(halfOpen.objection(foreign)).not.toBeNull();
    expect(closed.objection(foreign)).toBeNull();
  });

  it.each([
    { host: '127.0.0.1:8000', origin: undefined },
    { host: '127.0.0.1:8000', origin: 'http://127.0.0.1:8000' },
    { host: 'any.example', origin: undefined },
  ])('nothing speaks against %o', (request) => {
    expect(open.objection(request)).toBeNull();
  });

  it('origins that the settings name may come', () => {
    const origin = 'https://portal.example';
    const access = createAccess({
      agentToken: '',
      operatorToken: 'x',
      allowedHosts: [],
      corsOrigins: [origin],
    });
    expect(access.objection({ host: 'hq.example', origin })).toBeNull();
  });
});
