/** Addresses of HQ: which may be set, where Socket.IO is below them, and how they are shown. */

const HINT = 'give the token by --token-file FILE (or HOLDFAST_TOKEN_FILE), which is shown nowhere';

/** Why `text` cannot be an address of HQ; null when it can. Never repeats the text: it may hold a password. */
export function addressProblem(text: string): string | null {
  const url = URL.parse(text);
  if (url === null || !/^https?:\/\//i.test(text) || !['http:', 'https:'].includes(url.protocol))
    return 'expected an address that begins with http:// or https://';
  if (url.username !== '' || url.password !== '')
    return `an address of HQ must not hold a user and a password; ${HINT}`;
  if (url.search !== '' || url.hash !== '')
    return `an address of HQ must not hold a query or a fragment; ${HINT}`;
  return null;
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
  const { origin, pathname } = new URL(address);
  return `${origin}${pathname.replace(/\/+$/, '')}/${page}`;
}
