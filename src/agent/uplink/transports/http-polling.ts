/**
 * Long polling, for where no WebSocket gets through: Engine.IO's own transport, with our requests beneath. They go over
 * counted sockets, which are kept for the next request, an answer has a largest size, and a failure keeps its cause.
 *
 * One request waits for what HQ has to say, one at a time brings what is to be sent. Binary packets travel as base64.
 */
import type { Agent } from 'node:http';
import { defer, type Observable, of, race, Subject, take, timer } from 'rxjs';
import { NodeXHR } from 'socket.io-client';
import type { Clock } from '../../../platform/clock.ts';
import { readUnexpected } from './unexpected-answer.ts';

/** Not imported, as in counted-sockets.ts. */
const http = process.getBuiltinModule('node:http');
const https = process.getBuiltinModule('node:https');
/** HQ learns within this time that the agent leaves, ms; without it, by the end of its TCP connections. */
const LEAVE_MS = 1_000;

export type HttpPollingOptions = {
  readonly agent: Agent;
  /** A larger answer ends the connection. */
  readonly maxAnswerBytes: number;
  readonly clock: Pick<Clock, 'scheduler'>;
};

export type HttpPolling = {
  /** For the client's `transports`; for one connection. */
  readonly Transport: typeof NodeXHR;
  /** For a client that is closing: emits once, when HQ has answered all requests, or does not within a second. */
  readonly left$: Observable<unknown>;
};

export function createHttpPolling(options: HttpPollingOptions): HttpPolling {
  const idle$ = new Subject<void>();
  let open = 0;
  const exchange = (question: Question, done: Answered) => {
    open += 1;
    ask(options, question, (error, text) => {
      // First: while the connection stands the next question follows at once.
      done(error, text);
      open -= 1;
      if (open === 0) idle$.next();
    });
  };
  class HttpPollingTransport extends NodeXHR {
    override doPoll(): void {
      exchange({ method: 'GET', url: this.uri() }, (error, text) => {
        if (error !== null) this.onError('poll error', error);
        else this.#take(text);
      });
    }
    override doWrite(data: string, done: () => void): void {
      exchange({ method: 'POST', url: this.uri(), body: data }, (error) => {
        if (error !== null) this.onError('post error', error);
        else done();
      });
    }
    #take(text: string): void {
      try {
        this.onData(text);
      } catch (error) {
        // A handshake that is no JSON.
        this.onError('parse error', error);
      }
    }
  }
  const left$ = defer(() =>
    open === 0 ? of(null) : race(idle$, timer(LEAVE_MS, options.clock.scheduler)).pipe(take(1)),
  );
  return { Transport: HttpPollingTransport, left$ };
}

type Answered = (error: Error | null, text: string) => void;
type Question = { readonly method: 'GET' | 'POST'; readonly url: string; readonly body?: string };

/** `done` is called once, with the whole answer. Ending the socket ends the request. */
function ask(
  { agent, maxAnswerBytes }: HttpPollingOptions,
  { method, url, body }: Question,
  done: Answered,
): void {
  const headers = body === undefined ? {} : { 'Content-Type': 'text/plain;charset=UTF-8' };
  const request = (url.startsWith('https:') ? https : http).request(url, { method, agent, headers });
  let settled = false;
  const settle = (error: Error | null, text = '') => {
    if (settled) return;
    settled = true;
    done(error, text);
  };
  request.on('error', settle);
  request.on('response', (response) => {
    if (response.statusCode !== 200) {
      readUnexpected(response, (error) => {
        settle(error);
        request.destroy();
      });
      return;
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes > maxAnswerBytes)
        request.destroy(new Error(`an answer of more than ${maxAnswerBytes} bytes`));
    });
    response.on('error', settle);
    response.on('end', () => settle(null, Buffer.concat(chunks).toString()));
  });
  request.end(body);
}
