/** Clients that shut their side of the connection behind a request get its answer. */
import { connect } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { startTestGateway } from './testing/listening.ts';

const HOST = 'host: 127.0.0.1';
const record = (timestamp: number) =>
  JSON.stringify({ agent: 'half', timestamp, metrics: { pressure: timestamp } });
const post = (body: string, length = body.length) =>
  `POST /telemetry HTTP/1.1\r\n${HOST}\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`;
const chunked = (body: string, end: string) =>
  `POST /telemetry HTTP/1.1\r\n${HOST}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n${end}`;

/** All that comes back for `text`, behind which the client's side is shut, until the other is. */
function answerTo(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const tcp = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => tcp.end(text));
    let answer = '';
    tcp.setEncoding('utf8');
    tcp.on('data', (data: string) => {
      answer += data;
    });
    tcp.on('end', () => resolve(answer));
    tcp.on('error', reject);
  });
}

const statuses = (answer: string) =>
  [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));

it.each([
  ['a delivery', post(record(1)), [202]],
  ['two at once', post(record(1)) + post(record(2)), [202, 202]],
  ['one in chunks', chunked(record(1), '0\r\n\r\n'), [202]],
  ['a question', `GET /api/v1/agents HTTP/1.1\r\n${HOST}\r\n\r\n`, [200]],
  ['half a delivery', post(record(1).slice(0, 20), record(1).length), [400]],
  ['half of one in chunks', chunked(record(1), ''), [400]],
  ['half its headers', post(record(1)).slice(0, 40), [400]],
  ['nothing', '', []],
])('%s is answered, and the connection is closed', async (_what, text, wanted) => {
  const gateway = await startTestGateway();
  onTestFinished(gateway.stop);
  expect(statuses(await answerTo(gateway.port, text))).toEqual(wanted);
});
