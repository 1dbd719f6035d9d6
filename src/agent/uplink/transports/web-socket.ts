/**
 * The client's WebSocket, which a handshake that cannot be read would end the process with, and which says when its
 * request is out.
 */
import type { EventEmitter } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { NodeWebSocket } from 'socket.io-client';
import { readUnexpected } from './unexpected-answer.ts';

/**
 * For the client's `transports`. `onAsked`: the connection stands, TLS included, and has taken the whole wish for a
 * WebSocket.
 */
export function createWebSocketTransport(onAsked: () => void): typeof NodeWebSocket {
  return class GuardedWebSocket extends NodeWebSocket {
    override createSocket(...[uri, protocols, options]: Parameters<NodeWebSocket['createSocket']>): unknown {
      const finishRequest = (request: ClientRequest, webSocket: EventEmitter) => {
        request.once('finish', onAsked);
        webSocket.once('unexpected-response', (_request: ClientRequest, response: IncomingMessage) =>
          readUnexpected(response, (error) => {
            request.destroy();
            // As an error of the request it is one of the WebSocket.
            request.emit('error', error);
          }),
        );
        request.end();
      };
      return super.createSocket(uri, protocols, { ...options, finishRequest });
    }
    protected override onData(data: Parameters<NodeWebSocket['onData']>[0]): void {
      try {
        super.onData(data);
      } catch (error) {
        this.onError('parse error', error);
      }
    }
  };
}
