/** Tries to open a WebSocket to HQ, alongside a standing connection; one that HQ speaks by is ended at once. */
import { Observable, Subscription } from 'rxjs';
import { createSocketCounter } from '../counted-sockets.ts';
import { socketAddress } from '../hq-address.ts';
import type { ProbeResult } from '../ways/open-beside.ts';
import type { ProbeOptions } from '../ways/probe-hq.ts';

/** Not imported, as in counted-sockets.ts. */
const http = process.getBuiltinModule('node:http');
const https = process.getBuiltinModule('node:https');

/** `answers`: HQ has spoken by it. Something on the way may answer an upgrade and then let nothing through. */
export function probeUpgrade({ address, agentOf, timeoutMs, clock }: ProbeOptions): Observable<ProbeResult> {
  return new Observable((subscriber) => {
    const sockets = createSocketCounter();
    const opened = new Subscription();
    const { url, path } = socketAddress(address);
    const target = new URL(`${path}?EIO=4&transport=websocket`, url);
    const request = (target.protocol === 'https:' ? https : http).request(target, {
      agent: agentOf(sockets.add),
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        // What HQ makes of it is not looked at.
        'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
      },
    });
    const done = (answers: boolean) => {
      const { sent, received } = sockets.traffic();
      subscriber.next({ answers, sent, received });
      subscriber.complete();
    };
    request.on('error', () => done(false));
    request.on('response', () => done(false));
    request.on('upgrade', (_response, socket, head) => {
      const spoken = () => done(true);
      socket.on('error', () => done(false));
      socket.on('close', () => done(false));
      if (head.length > 0) spoken();
      else socket.once('data', spoken);
      opened.add(() => socket.destroy());
    });
    request.end();
    const deadline = clock.scheduler.schedule(() => done(false), timeoutMs);
    return () => {
      deadline.unsubscribe();
      opened.unsubscribe();
      request.on('error', () => {}).destroy();
    };
  });
}
