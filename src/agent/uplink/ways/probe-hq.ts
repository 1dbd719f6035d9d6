/** Asks HQ's /healthz over a way of its own, alongside a standing connection. */
import type { Agent } from 'node:http';
import { Observable } from 'rxjs';
import { z } from 'zod';
import type { Clock } from '../../../platform/clock.ts';
import { hqIdentitySchema } from '../../../protocol/events.ts';
import { createSocketCounter, type SocketCounter } from '../counted-sockets.ts';
import { pageAddress } from '../hq-address.ts';
import type { ProbeResult } from './open-beside.ts';

export type ProbeOptions = {
  readonly address: string;
  /** Makes the agent of one probe, which tells of its sockets. */
  readonly agentOf: (onSocket: SocketCounter['add']) => Agent;
  /** ms */
  readonly timeoutMs: number;
  readonly clock: Pick<Clock, 'scheduler'>;
};

/** As in health-server.ts: to import all of it costs 12 MB. */
const http = process.getBuiltinModule('node:http');
const https = process.getBuiltinModule('node:https');
const MAX_ANSWER = 1_024;
/** `hq`: absent from an HQ that cannot keep its identity, or of an earlier version. */
const healthSchema = z.object({ status: z.literal('ok'), hq: hqIdentitySchema.optional() });

/**
 * Anything that answers otherwise, such as the login page of a hotel, is not HQ. `hq`: the identity of the only HQ that
 * this agent may deliver to; null: no matter which.
 */
export function probeHq(
  { address, agentOf, timeoutMs, clock }: ProbeOptions,
  hq: string | null,
): Observable<ProbeResult> {
  return new Observable((subscriber) => {
    const sockets = createSocketCounter();
    const url = new URL(pageAddress(address, 'healthz'));
    const request = (url.protocol === 'https:' ? https : http).request(url, { agent: agentOf(sockets.add) });
    const done = (answers: boolean) => {
      const { sent, received } = sockets.traffic();
      subscriber.next({ answers, sent, received });
      subscriber.complete();
    };
    request.on('error', () => done(false));
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MAX_ANSWER) done(false);
      });
      response.on('error', () => done(false));
      response.on('end', () => done(response.statusCode === 200 && isHealth(text, hq)));
    });
    request.end();
    const deadline = clock.scheduler.schedule(() => done(false), timeoutMs);
    return () => {
      deadline.unsubscribe();
      request.on('error', () => {}).destroy();
    };
  });
}

function isHealth(text: string, own: string | null): boolean {
  try {
    const { success, data } = healthSchema.safeParse(JSON.parse(text));
    return success && (own === null || (data.hq ?? own) === own);
  } catch {
    return false;
  }
}
