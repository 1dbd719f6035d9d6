/**
 * Who may talk to HQ: the one place where that is decided.
 *
 * Two shared tokens exist: agents deliver with the agent token, people read and write with the operator token. A check
 * whose token is not set is open, but then not to every web page that the operator's browser happens to show: a request
 * that a browser made is let through only when its `Origin` is HQ itself, and reading asks for a `Host` that a foreign
 * name cannot be rebound to (DNS rebinding).
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { defer, type Observable, of } from 'rxjs';
import { agentAuthSchema } from '../protocol/events.ts';

export const ROLES = ['agent', 'operator'] as const;
export type Role = (typeof ROLES)[number];

/** Tokens that stand in published examples; everybody knows them. */
export const DEMO_TOKENS: Readonly<Record<Role, string>> = {
  agent: 'holdfast-demo-agent',
  operator: 'holdfast-demo-operator',
};

/** What a request says of itself. */
export type AccessRequest = {
  readonly token: string | undefined;
  /** The `Host` header. */
  readonly host: string | undefined;
  /** The `Origin` header; browsers send it with every writing and every WebSocket request. */
  readonly origin: string | undefined;
};

/** Who a connection or a request is. */
export type Principal = {
  readonly role: Role;
  /** What shows it: the token of the role, or, where none is set, the place that it comes from. */
  readonly shownBy: 'token' | 'place';
};

export type Admission =
  | { readonly ok: true; readonly principal: Principal }
  | { readonly ok: false; readonly reason: 'token' | 'host' | 'origin'; readonly message: string };

export type Access = {
  /** Emits once. Errors: it cannot be decided now. */
  readonly admit: (role: Role, request: AccessRequest) => Observable<Admission>;
  /**
   * What speaks against a request before it is known which role it wants, and whatever it says later; null where that
   * decides. A browser that shows a foreign page sends its `Origin` with each writing request and each WebSocket.
   */
  readonly objection: (request: Pick<AccessRequest, 'host' | 'origin'>) => string | null;
  /** Whether a token is set for the role. */
  readonly guarded: (role: Role) => boolean;
  /** Roles whose token is a published demo token. */
  readonly demoRoles: readonly Role[];
};

export type AccessOptions = {
  /** Empty: no token is asked for. */
  readonly agentToken: string;
  readonly operatorToken: string;
  /** Origins of other web pages that may come with a token. Default: none. */
  readonly corsOrigins?: readonly string[];
  /** Names, besides loopback names and IP addresses, under which HQ is reached without a token. */
  readonly allowedHosts: readonly string[];
};

export function createAccess(options: AccessOptions): Access {
  const tokens: Readonly<Record<Role, string>> = {
    agent: options.agentToken,
    operator: options.operatorToken,
  };
  const digests = { agent: digest(options.agentToken), operator: digest(options.operatorToken) };
  const guarded = (role: Role) => tokens[role] !== '';
  return {
    guarded,
    objection: ({ host, origin }) => {
      if (origin === undefined || options.corsOrigins?.includes(origin) === true || ROLES.every(guarded))
        return null;
      const admission = admitOpenly('agent', { host, origin, token: undefined }, options.allowedHosts);
      return admission.ok ? null : admission.message;
    },
    demoRoles: ROLES.filter((role) => guarded(role) && Object.values(DEMO_TOKENS).includes(tokens[role])),
    admit: (role, request) =>
      defer(() =>
        of(
          guarded(role)
            ? admitByToken(role, request.token, digests[role])
            : admitOpenly(role, request, options.allowedHosts),
        ),
      ),
  };
}

/** Reads the token of `Authorization: Bearer …`. */
export function bearerToken(header: string | undefined): string | undefined {
  return /^Bearer +([^\s]+) *$/i.exec(header ?? '')?.[1];
}

/** An AccessRequest of a Socket.IO handshake; the token travels in `auth.token`. */
export function handshakeRequest(handshake: {
  readonly auth: unknown;
  readonly headers: { readonly host?: string | undefined; readonly origin?: string | undefined };
}): AccessRequest {
  const { auth, headers } = handshake;
  const parsed = agentAuthSchema.safeParse(auth);
  const token = parsed.success ? parsed.data.token : undefined;
  return {
    token: token === '' ? undefined : token,
    host: headers.host,
    origin: headers.origin,
  };
}

/** Whether `host`, an address or name to listen on, is reached from this machine only. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase();
  return (
    name === 'localhost' ||
    name.endsWith('.localhost') ||
    name === '::1' ||
    (isIP(name) === 4 && name.startsWith('127.'))
  );
}

function admitByToken(role: Role, token: string | undefined, expected: Buffer): Admission {
  // Digests are of one length: neither the length nor the first wrong character shows in the time it takes.
  if (token !== undefined && timingSafeEqual(digest(token), expected))
    return { ok: true, principal: { role, shownBy: 'token' } };
  const what = token === undefined ? 'none was sent' : 'the one sent is wrong';
  return { ok: false, reason: 'token', message: `this needs the ${role} token of HQ; ${what}` };
}

function admitOpenly(role: Role, request: AccessRequest, allowedHosts: readonly string[]): Admission {
  const fromBrowser = request.origin !== undefined;
  // Browsers send Origin with every delivery, but not with every read: agents may use any name, readers may not.
  if ((role === 'operator' || fromBrowser) && !isTrustedHost(request.host, allowedHosts)) {
    return {
      ok: false,
      reason: 'host',
      message: `without an operator token HQ answers under an IP address, localhost or one of the setting allowedHosts, not under "${request.host ?? ''}"`,
    };
  }
  if (fromBrowser && originHost(request.origin) !== request.host?.toLowerCase()) {
    return { ok: false, reason: 'origin', message: 'requests from pages of other sites are refused' };
  }
  return { ok: true, principal: { role, shownBy: 'place' } };
}

function isTrustedHost(header: string | undefined, allowedHosts: readonly string[]): boolean {
  const match = /^(\[[0-9a-f:.]+\]|[^:/@\s]+)(?::\d{1,5})?$/i.exec(header ?? '');
  const name = match?.[1]?.replace(/^\[|\]$/g, '').toLowerCase();
  if (name === undefined) return false;
  return (
    isLoopback(name) || isIP(name) !== 0 || allowedHosts.some((allowed) => allowed.toLowerCase() === name)
  );
}

function originHost(origin: string | undefined): string | undefined {
  return URL.canParse(origin ?? '') ? new URL(origin ?? '').host : undefined;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
