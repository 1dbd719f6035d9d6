/**
 * The address of the client that a request comes from.
 *
 * Behind proxies it stands in `X-Forwarded-For`, to which each proxy adds the address that it sees on the right: what
 * stands further left than the proxies that are trusted was written by the client itself.
 */
import type { IncomingHttpHeaders } from 'node:http';

/** `trustedProxies`: how many proxies stand before HQ; 0 for none. */
export function clientAddress(headers: IncomingHttpHeaders, peer: string, trustedProxies: number): string {
  if (trustedProxies === 0) return peer;
  const header = headers['x-forwarded-for'];
  const listed = (Array.isArray(header) ? header.join(',') : (header ?? ''))
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '');
  // With fewer than there are proxies, the furthest that is told.
  return listed.at(-Math.min(trustedProxies, listed.length)) ?? peer;
}
