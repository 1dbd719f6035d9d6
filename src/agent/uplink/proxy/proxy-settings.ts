/**
 * Which HTTP proxy leads to an address, by the usual variables of the environment: HTTPS_PROXY for https:, HTTP_PROXY
 * for http:, ALL_PROXY for both, in capitals or not; NO_PROXY names what is reached without one. Loopback always is.
 */
import { isIP } from 'node:net';
import { shownAddress } from '../hq-address.ts';

export type HttpProxy = {
  readonly url: URL;
  /** Its address without user and password. */
  readonly shown: string;
  /** The variable that named it. */
  readonly variable: string;
};

export type Environment = Readonly<Record<string, string | undefined>>;

export class ProxySettingError extends Error {
  override readonly name = 'ProxySettingError';
}

/** Null: none. Throws a ProxySettingError, which does not repeat the setting: it may hold a password. */
export function proxyFor(address: string, environment: Environment): HttpProxy | null {
  const { protocol, hostname, port } = new URL(address);
  const secure = protocol === 'https:';
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (isLoopback(host)) return null;
  const found = setting(environment, secure ? ['HTTPS_PROXY', 'ALL_PROXY'] : ['HTTP_PROXY', 'ALL_PROXY']);
  if (found === null) return null;
  const [variable, text] = found;
  const exceptions = setting(environment, ['NO_PROXY'])?.[1] ?? '';
  if (isExcepted(host, port === '' ? (secure ? '443' : '80') : port, exceptions)) return null;
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    throw new ProxySettingError(
      `${variable} is no address of an HTTP proxy: it must be like http://proxy:3128, with user:password@ before the name where the proxy asks for them.`,
    );
  return { url, shown: shownAddress(url.origin), variable };
}

/** What the proxy is told of user and password; null where its address has none. */
export function proxyAuthorization({ url }: HttpProxy): string | null {
  if (url.username === '' && url.password === '') return null;
  const credentials = `${decoded(url.username)}:${decoded(url.password)}`;
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A percent sign that stands for itself.
    return text;
  }
}

function setting(environment: Environment, names: readonly string[]): [string, string] | null {
  for (const name of names.flatMap((one) => [one.toLowerCase(), one])) {
    const text = environment[name]?.trim() ?? '';
    if (text !== '') return [name, text];
  }
  return null;
}

function isLoopback(host: string): boolean {
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '::1' ||
    (isIP(host) === 4 && /^127\./.test(host))
  );
}

/**
 * Entries are names with all below them, `.name` or `*.name` for only those below, addresses, each with `:port` at
 * will, or `*`.
 */
function isExcepted(host: string, port: string, exceptions: string): boolean {
  return exceptions
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      if (entry === '*') return true;
      const [, name = entry, wanted] = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
      if (wanted !== undefined && wanted !== port) return false;
      const bare = name.replace(/^\[|\]$/g, '').replace(/^\*(?=\.)/, '');
      return bare.startsWith('.') ? host.endsWith(bare) : host === bare || host.endsWith(`.${bare}`);
    });
}
