/**
 * A simple store-and-forward agent. Arguments: mode, address of baseline-hq-child.ts, directory.
 * `drain`: sends pending.ndjson of the directory in gzipped POSTs of 1,000 lines, one after the other, and notes
 * durably how far it is. `live`: takes a sample ten times a second, appends it to a file (fdatasync), sends it; prints
 * how long each took until it was confirmed. Third argument of `live`: seconds.
 */
import { fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { createSystemClock } from '../src/platform/clock.ts';
import { leaveNow } from '../src/platform/leave.ts';
import { hostSamples } from '../src/protocol/codec/testing/host-samples.ts';

const [mode, url = '', directory = '.', seconds = '10'] = process.argv.slice(2);
const BATCH = 1000;
const PERIOD_MS = 100;
const clock = createSystemClock();
const connections = new Agent({ keepAlive: true });
const say = (document: object) => console.log(JSON.stringify(document));

function post(body: Buffer, headers: Record<string, string>): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', agent: connections, headers: { 'x-agent': 'bench', ...headers } };
    const sent = request(`${url}/telemetry`, options, (response) => {
      response.resume();
      response.on('end', () => (response.statusCode === 202 ? resolve() : reject(new Error('refused'))));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

async function drain(): Promise<void> {
  const text = readFileSync(join(directory, 'pending.ndjson'), 'utf8');
  const offsetFile = openSync(join(directory, 'offset'), 'w');
  say({ event: 'ready' });
  let from = 0;
  while (from < text.length) {
    let to = from;
    for (let line = 0; line < BATCH && to < text.length; line += 1) to = text.indexOf('\n', to) + 1;
    await post(gzipSync(text.slice(from, to)), { 'content-encoding': 'gzip' });
    from = to;
    writeSync(offsetFile, String(from), 0);
    fdatasyncSync(offsetFile);
  }
}

async function live(): Promise<void> {
  const count = Math.round((Number(seconds) * 1000) / PERIOD_MS);
  const samples = hostSamples(count);
  const file = openSync(join(directory, 'pending.ndjson'), 'a');
  const latencies: number[] = [];
  const start = clock.precise();
  for (const [index, { schema, ts, values }] of samples.entries()) {
    await delay(Math.max(0, start + index * PERIOD_MS - clock.precise()));
    const taken = clock.precise();
    const metrics = Object.fromEntries(schema.series.map(({ name }, column) => [name, values[column]]));
    const line = `${JSON.stringify({ seq: index + 1, ts, ...metrics })}\n`;
    writeSync(file, line);
    fdatasyncSync(file);
    await post(Buffer.from(line), {});
    latencies.push(clock.precise() - taken);
  }
  say({ event: 'measured', latencies });
}

if (mode === 'live') await live();
else await drain();
// Stays until it is ended, so that what it used can be read.
setInterval(() => {}, 60_000);
process.on('SIGTERM', () => leaveNow(0));
