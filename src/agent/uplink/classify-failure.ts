/** Turns what a failed handshake leaves behind into one of our few kinds, with words for people. */
import { z } from 'zod';
import { wireErrorSchema } from '../../protocol/events.ts';
import { socketAddress } from './hq-address.ts';
import { LinkError } from './link.ts';
import type { Transport } from './transports/transport.ts';

/** The shapes in which socket.io-client, engine.io-client and ws hand up a cause; each layer wraps the one below. */
const layerSchema = z.object({
  message: z.string().optional(),
  code: z.union([z.string(), z.number()]).optional(),
  /** socket.io: what a server's middleware attached to its refusal. */
  data: z.unknown().optional(),
  /** engine.io: the ErrorEvent of ws. */
  description: z.unknown().optional(),
  /** ws ErrorEvent: the system's error. */
  error: z.unknown().optional(),
  cause: z.unknown().optional(),
  errors: z.unknown().optional(),
  /** The beginning of the page of an HTTP answer. */
  body: z.string().optional(),
  /** Node: what could not be read as HTTP. */
  rawPacket: z.unknown().optional(),
});

const MAX_LAYERS = 8;

type Layer = z.infer<typeof layerSchema>;

function layersOf(error: unknown): Layer[] {
  const layers: Layer[] = [];
  const waiting: unknown[] = [error];
  while (waiting.length > 0 && layers.length < MAX_LAYERS) {
    const parsed = layerSchema.safeParse(waiting.shift());
    if (!parsed.success) continue;
    const { description, error: inner, cause, errors } = parsed.data;
    layers.push(parsed.data);
    waiting.push(description, inner, cause, ...(Array.isArray(errors) ? errors : []));
  }
  return layers;
}

const REFUSED = new Set(['ECONNREFUSED']);
const DNS = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NONAME', 'EAI_NODATA']);
const UNREACHABLE = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL', 'EHOSTDOWN', 'ENETDOWN']);
const TLS =
  /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|EPROTO$|ERR_OSSL|HOSTNAME_MISMATCH|INVALID_CA|.*_CERT(_|$))/;

/** OpenSSL, of an answer that is none of TLS. */
const NO_TLS = /wrong version number|packet length too long|http request|unknown protocol/i;
/** nginx, Apache and Go, each in its words, of a request that is none of TLS. */
const BY_PLAIN_HTTP = /HTTPS port|SSL-enabled server port|to an HTTPS server/i;

/** Whether it says that plain HTTP was asked of TLS: by its page, or by an alert where HTTP was due. */
function isOfTls({ body = '', rawPacket }: Layer): boolean {
  const isAlert = rawPacket instanceof Uint8Array && rawPacket[0] === 0x15 && rawPacket[1] === 0x03;
  return isAlert || BY_PLAIN_HTTP.test(body);
}

const isPlain = (url: string) => /^http:/i.test(url);
const otherScheme = (url: string) =>
  isPlain(url) ? url.replace(/^http:/i, 'https:') : url.replace(/^https:/i, 'http:');

function dropped(url: string, code: string, message: string): string {
  const fact = `${url} dropped the connection before it was open (${code || message}).`;
  // Servers of TLS end a connection that begins with HTTP without a word.
  return isPlain(url) && message === 'socket hang up'
    ? `${fact} If HQ speaks TLS there, write ${otherScheme(url)}.`
    : fact;
}

/** Why `url` could not be connected to. */
export function classifyConnectFailure(
  url: string,
  error: unknown,
  transport: Transport = 'websocket',
): LinkError {
  const layers = layersOf(error);
  const options = { cause: error };
  const said = layers.findLast((layer) => (layer.message ?? '') !== '')?.message ?? 'no detail';
  // OpenSSL ends its lines.
  const detail = said.replaceAll(/\s+/g, ' ').trim();

  for (const layer of layers) {
    const wire = wireErrorSchema.safeParse(layer.data);
    if (!wire.success) continue;
    const refused = wire.data.code === 'unauthorized';
    const message = `HQ at ${url} refused this agent: ${wire.data.message}`;
    return new LinkError(refused ? 'unauthorized' : 'rejected', refused ? withAdvice(message) : message, {
      ...options,
      wire: wire.data,
    });
  }
  if (isPlain(url) && layers.some(isOfTls))
    return new LinkError('tls', `HQ speaks TLS at ${url}: write ${otherScheme(url)}.`, options);
  for (const { code, message = '' } of layers) {
    const name = String(code ?? '');
    if (name === 'ERR_HOLDFAST_PROXY') return new LinkError('proxy', message, options);
    if (REFUSED.has(name))
      return new LinkError('refused', `Nothing accepts connections at ${url}: is HQ running there?`, options);
    if (DNS.has(name))
      return new LinkError('dns', `The host name in ${url} does not resolve (${name}).`, options);
    if (UNREACHABLE.has(name)) return new LinkError('unreachable', `No route to ${url} (${name}).`, options);
    if (TLS.test(name) && NO_TLS.test(message))
      return new LinkError(
        'tls',
        `What answers at ${url} does not speak TLS. If HQ speaks plain HTTP there, write ${otherScheme(url)}.`,
        options,
      );
    if (TLS.test(name))
      return new LinkError('tls', `No trusted TLS connection to ${url}: ${detail} (${name}).`, options);
    if (name === 'ETIMEDOUT' || message === 'timeout')
      return new LinkError('timeout', `${url} does not answer.`, options);
    const status = /^Unexpected server response: (\d{3})/.exec(message)?.[1];
    if (status !== undefined) return fromStatus(url, Number(status), options, transport);
    if (message === 'unauthorized' || message.startsWith('unauthorized:'))
      return new LinkError(
        'unauthorized',
        withAdvice(`HQ at ${url} does not accept this agent's token.`),
        options,
      );
    if (message === 'Invalid namespace')
      return new LinkError('protocol', `${url} is a Socket.IO server but no Holdfast HQ.`, options);
    if (name === 'ECONNRESET' || name === 'EPIPE' || message === 'socket hang up')
      return new LinkError('closed', dropped(url, name, message), options);
  }
  return new LinkError('protocol', `What answers at ${url} does not speak Socket.IO: ${detail}`, options);
}

function withAdvice(message: string): string {
  const sentence = message.endsWith('.') ? message : `${message}.`;
  return `${sentence} Check the token (--token-file, --token or HOLDFAST_TOKEN).`;
}

/**
 * What those say who know HTTP and no WebSockets, or want none. HQ itself answers 400 where something took the wish to
 * upgrade away.
 */
const NO_UPGRADE: ReadonlySet<number> = new Set([400, 403, 405, 426, 501]);

/** Those say it of any request: no credentials, and elsewhere. */
const NOT_OF_UPGRADES = (status: number) => status === 401 || (status >= 300 && status < 400);

function fromStatus(url: string, status: number, options: ErrorOptions, transport: Transport): LinkError {
  const isWebSocket = transport === 'websocket' && !NOT_OF_UPGRADES(status);
  const why = isWebSocket ? { ...options, upgrade: `HTTP ${status} to the upgrade` } : options;
  if (isWebSocket && NO_UPGRADE.has(status))
    return new LinkError(
      'upgrade_blocked',
      `WebSockets to ${url} are blocked on the way (HTTP ${status} to the upgrade).`,
      why,
    );
  if (status >= 300 && status < 400)
    return new LinkError(
      'redirect',
      `${url} answers with a redirect (HTTP ${status}); give the final address${isPlain(url) ? `, perhaps ${otherScheme(url)}` : ''}.`,
      why,
    );
  if (status === 401 || status === 403)
    return new LinkError(
      'unauthorized',
      withAdvice(`${url} refuses this agent's credentials (HTTP ${status}).`),
      why,
    );
  if (status === 407)
    return new LinkError(
      'proxy',
      `A proxy before ${url} wants credentials (HTTP 407 Proxy Authentication Required).`,
      why,
    );
  if (status === 502 || status === 503 || status === 504)
    return new LinkError('refused', `A proxy answers for ${url}, but HQ does not (HTTP ${status}).`, why);
  if (status === 404 || status === 410)
    return new LinkError(
      'protocol',
      `${url} answers HTTP ${status}: nothing is at ${socketAddress(url).path} there. Is the path in hq right?`,
      why,
    );
  return new LinkError('protocol', `${url} answers HTTP ${status} instead of Socket.IO.`, why);
}
