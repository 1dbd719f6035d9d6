/** Addresses of HQ: which may be set, where Socket.IO is below them, and how they are shown. */

import { shown } from '../../platform/plain-error.ts';

const HINT = 'give the token by --token-file FILE (or HOLDFAST_TOKEN_FILE), which is shown nowhere';

/** Why `text` cannot be an address of HQ; null when it can. Repeats no text that may hold a password. */
export function addressProblem(text: string): string | null {
  if (text.trim() === '') return `${EXPECTED}, got none`;
  const url = URL.parse(text);
  if (url === null || !/^https?:\/\//i.test(text) || !['http:', 'https:'].includes(url.protocol))
    return /[@?#]/.test(text) ? EXPECTED : `${EXPECTED}, got ${shown(text)}${reasonOf(text)}`;
  if (url.username !== '' || url.password !== '')
    return `an address of HQ must not hold a user and a password; ${HINT}`;
  if (url.search !== '' || url.hash !== '')
    return `an address of HQ must not hold a query or a fragment; ${HINT}`;
  return null;
}

const EXPECTED = 'expected an address that begins with http:// or https://, such as https://hq.example:8000';
const MAX_PORT = 65_535;

/** What is easily overlooked in it. */
function reasonOf(text: string): string {
  if (/[\s,;]/.test(text)) return '; give each address by itself: --hq more than once, or a list in a file';
  const port = /^https?:\/\/[^/]*:(\d+)(\/|$)/i.exec(text)?.[1];
  return port !== undefined && Number(port) > MAX_PORT ? `; a port is at most ${MAX_PORT}` : '';
}

/** The same for all ways to write one address. */
export function sameAddress(address: string): string {
  const { origin, pathname } = new URL(address);
  return `${origin}${pathname.replace(/\/+$/, '')}`;
}

/** `address` without what may be secret, for logs and people. */
export function shownAddress(address: string): string {
  const url = URL.parse(address);
  if (url === null) return '(no address)';
  if (url.username === '' && url.password === '' && url.search === '' && url.hash === '') return address;
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  return url.href;
}

/** What Socket.IO's client is to be given: its namespace stands in the address, the path of the server apart. */
export function socketAddress(address: string): { readonly url: string; readonly path: string } {
  const { origin, pathname } = new URL(address);
  return { url: `${origin}/agents`, path: `${pathname.replace(/\/+$/, '')}/socket.io/` };
}

/** The address of something that HQ serves by HTTP, for instance `healthz`. */
export function pageAddress(address: string, page: string): string {
  return `${sameAddress(address)}/${page}`;
}
