/**
 * Records what an agent and an HQ of another version say to each other, message by message; README.md says how it is
 * used.
 *
 *     node tests/support/transcripts/record.ts CHECKOUT > transcript.jsonl
 *
 * A relay stands between them. It lets the agent connect, cuts the connection, refuses it for a while so that a backlog
 * gathers, lets it connect again, and stops it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { type RawData, WebSocket, WebSocketServer } from 'ws';

/** Heartbeats of each connection, the first at once and then one in five seconds. */
const HEARTBEATS = 2;
const OUTAGE_MS = 6_000;
const LOOK_MS = 50;

const [checkout] = process.argv.slice(2);
if (checkout === undefined) throw new Error('usage: node record.ts CHECKOUT > transcript.jsonl');
const holdfast = join(resolve(checkout), 'bin/holdfast.js');
const directory = mkdtempSync(join(tmpdir(), 'holdfast-transcript-'));

const hq = spawn(process.execPath, [holdfast, 'hq', '--port', '0', '--data-dir', join(directory, 'hq')], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const [line] = await once(createInterface({ input: hq.stdout }), 'line');
const { url } = JSON.parse(line);

let accepting = true;
let connections = 0;
let heartbeats = 0;
const pairs = new Set<WebSocket>();
const relay = new WebSocketServer({
  port: 0,
  host: '127.0.0.1',
  verifyClient: () => accepting,
});
relay.on('connection', (agent, request) => {
  connections += 1;
  const connection = connections;
  pairs.add(agent);
  const up = new WebSocket(`${url.replace('http', 'ws')}${request.url}`);
  const early: [RawData, boolean][] = [];
  const pass = (from: 'agent' | 'hq', to: WebSocket) => (data: RawData, binary: boolean) => {
    if (to.readyState === WebSocket.CONNECTING) early.push([data, binary]);
    else {
      const bytes = data as Buffer;
      if (from === 'agent' && bytes.includes('"heartbeat"')) heartbeats += 1;
      const what = binary ? { bytes: bytes.toString('base64') } : { text: bytes.toString() };
      process.stdout.write(`${JSON.stringify({ connection, from, ...what })}\n`);
      to.send(data, { binary });
    }
  };
  up.on('open', () => {
    for (const [data, binary] of early) pass('agent', up)(data, binary);
  });
  agent.on('message', pass('agent', up));
  up.on('message', pass('hq', agent));
  agent.on('close', () => up.close());
  up.on('close', () => agent.close());
  for (const one of [agent, up]) one.on('error', () => one.terminate());
});
await once(relay, 'listening');

const agent = spawn(
  process.execPath,
  [
    holdfast,
    'agent',
    ...['--hq', `http://127.0.0.1:${(relay.address() as AddressInfo).port}`, '--id', 'recorded'],
    ...[
      '--data-dir',
      join(directory, 'agent'),
      '--source',
      'sim:hz=4,sensors=3,seed=7',
      '--health-port',
      '0',
    ],
  ],
  { stdio: ['ignore', 'ignore', 'inherit'] },
);
const recorded = async (count: number) => {
  while (heartbeats < count) await wait(LOOK_MS);
};
await recorded(HEARTBEATS);
accepting = false;
for (const one of pairs) one.terminate();
await wait(OUTAGE_MS);
accepting = true;
await recorded(2 * HEARTBEATS);
agent.kill('SIGTERM');
await once(agent, 'exit');
relay.close();
hq.kill('SIGTERM');
await once(hq, 'exit');
rmSync(directory, { recursive: true });
