/** The client's WebSocket, which a handshake that cannot be read would end the process with. */
import { NodeWebSocket } from 'socket.io-client';

export class GuardedWebSocket extends NodeWebSocket {
  protected override onData(data: Parameters<NodeWebSocket['onData']>[0]): void {
    try {
      super.onData(data);
    } catch (error) {
      this.onError('parse error', error);
    }
  }
}
