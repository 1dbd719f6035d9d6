/**
 * A TCP connection to HQ through an HTTP proxy: CONNECT (RFC 9110, 9.3.6). Nothing of HQ is asked of the proxy but host
 * and port.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { type HttpProxy, proxyAuthorization } from './proxy-settings.ts';

/** What a proxy made of it; `message` names the proxy and says what to do. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
  readonly code = 'ERR_HOLDFAST_PROXY';
}

export type TunnelOptions = {
  readonly proxy: HttpProxy;
  readonly host: string;
  readonly port: number;
  /** Told of the TCP connection at once. */
  readonly onTcp: (tcp: Socket) => void;
};

const MAX_ANSWER_BYTES = 16 * 1024;
const END_OF_HEADERS = Buffer.from('\r\n\r\n');

/** Calls `done` once. How long it may take is for the caller to say: destroying the TCP connection ends it. */
export function openTunnel(
  options: TunnelOptions,
  done: (error: Error | null, socket?: Duplex) => void,
): void {
  const { proxy, host, port, onTcp } = options;
  const { url } = proxy;
  const secure = url.protocol === 'https:';
  const hostname = url.hostname.replace(/^\[|\]$/g, '');
  const tcp = connectTcp({
    host: hostname,
    port: Number(url.port === '' ? (secure ? 443 : 80) : url.port),
    noDelay: true,
  });
  onTcp(tcp);
  const servername = isIP(hostname) === 0 ? { servername: hostname } : {};
  const socket: Duplex = secure ? connectTls({ socket: tcp, ...servername }) : tcp;
  let read: Buffer = Buffer.alloc(0);
  const settle = (error: Error | null) => {
    socket.off('readable', onReadable).off('error', onError).off('close', onClose);
    tcp.off('error', onError);
    if (error === null) done(null, socket);
    else {
      for (const one of [socket, tcp]) one.on('error', () => {}).destroy();
      done(error);
    }
  };
  const onError = (cause: Error) => settle(new ProxyError(unreachable(proxy, cause), { cause }));
  const onClose = () =>
    settle(new ProxyError(`${named(proxy)} ended the connection without an answer to CONNECT.`));
  // Not by 'data': the one that gets the connection must find it neither flowing nor paused.
  const onReadable = () => {
    for (let chunk = nextOf(socket); chunk !== null; chunk = nextOf(socket)) {
      read = Buffer.concat([read, chunk]);
      const end = read.indexOf(END_OF_HEADERS);
      if (end >= 0)
        return answered(read.toString('latin1', 0, end), read.subarray(end + END_OF_HEADERS.length));
      if (read.length > MAX_ANSWER_BYTES) return settle(new ProxyError(noProxy(proxy)));
    }
  };
  const answered = (headers: string, rest: Buffer) => {
    const status = /^HTTP\/1\.[01] (\d{3})/.exec(headers)?.[1];
    if (status === undefined) return settle(new ProxyError(noProxy(proxy)));
    if (!status.startsWith('2'))
      return settle(new ProxyError(refused(proxy, `${host}:${port}`, Number(status))));
    if (rest.length > 0) socket.unshift(rest);
    settle(null);
  };
  socket.on('readable', onReadable).on('error', onError).on('close', onClose);
  if (secure) tcp.on('error', onError);
  socket.once(secure ? 'secureConnect' : 'connect', () => {
    const target = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
    const authorization = proxyAuthorization(proxy);
    const credentials = authorization === null ? '' : `Proxy-Authorization: ${authorization}\r\n`;
    socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${credentials}\r\n`);
  });
}

function nextOf(socket: Duplex): Buffer | null {
  const chunk: unknown = socket.read();
  return Buffer.isBuffer(chunk) ? chunk : null;
}

function named({ shown, variable }: HttpProxy): string {
  return `The proxy ${shown} (${variable})`;
}

function unreachable(proxy: HttpProxy, cause: Error): string {
  const code = 'code' in cause ? String(cause.code) : cause.message;
  if (code === 'ECONNREFUSED') return `${named(proxy)} accepts no connections: is it running there?`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `${named(proxy)} cannot be found: its name does not resolve (${code}).`;
  return `${named(proxy)} cannot be reached (${code}).`;
}

function noProxy(proxy: HttpProxy): string {
  return `${named(proxy)} does not answer as an HTTP proxy does.`;
}

function refused(proxy: HttpProxy, target: string, status: number): string {
  if (status === 407)
    return `${named(proxy)} asks for user and password (HTTP 407): put the right ones into its address, as in http://user:password@proxy:3128.`;
  if (status === 403)
    return `${named(proxy)} does not allow connections to ${target} (HTTP 403): ask its operator to allow CONNECT there, or list the host in NO_PROXY.`;
  if (status === 502 || status === 503 || status === 504)
    return `${named(proxy)} cannot reach ${target} (HTTP ${status}): is HQ running there?`;
  return `${named(proxy)} refuses the connection to ${target} (HTTP ${status}).`;
}
