/**
 * Many simulated agents in one process: each sends one sample of 17 metrics a second and waits for its ack, and a
 * heartbeat every five seconds. Latency counts from when a sample was due, so that a late generator makes it worse, not
 * better. Arguments: `holdfast` or `baseline`, address, agents, seconds to measure, seconds before. Prints `ready` when
 * all are connected, `warm` when measuring begins, `measured` at the end.
 */
import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { createSystemClock } from '../src/platform/clock.ts';
import { leaveNow } from '../src/platform/leave.ts';
import { hostSamples, hostSchema } from '../src/protocol/codec/testing/host-samples.ts';
import { encodeSamples } from '../src/protocol/frame-codec.ts';
import { quantile } from './result.ts';
import { openWebSocket } from './support/websocket.ts';

const [mode, url = '', agentsText, secondsText, warmUpText] = process.argv.slice(2);
const agentCount = Number(agentsText);
const seconds = Number(secondsText);
const TICK_MS = 5;
const PERIOD_MS = 1_000;
const HEARTBEAT_PERIODS = 5;
/** Connections that are being made at once. */
const CONNECTING = 64;
/** How long to wait for the last acks. */
const PATIENCE_MS = 2_000;

const clock = createSystemClock();
const say = (document: object) => console.log(JSON.stringify(document));
const port = Number(new URL(url).port);
const cycle = hostSamples(512);
/** Calls back once the sample is confirmed as durable. */
type Simulated = { readonly send: (round: number, confirmed: () => void) => void };

function sampleOf(agent: number, round: number) {
  const sample = cycle[(agent + round) % cycle.length];
  if (sample === undefined) throw new RangeError('an empty cycle');
  return { ...sample, ts: clock.now(), mono: clock.mono() };
}

function heartbeat(round: number) {
  const fixed = {
    state: 'live',
    breaker: 'closed',
    pending: 0,
    pendingBytes: 0,
    dropped: {},
    lagMs: 0,
    rttMs: 10,
  };
  return { ...fixed, ts: clock.now(), sampled: round, released: round };
}

/** Speaks docs/protocol.md over a bare WebSocket. */
function connectHoldfast(index: number): Promise<Simulated> {
  const agent = `sim-${index}`;
  const epoch = (index + 1).toString(16).padStart(12, '0');
  const waiting = new Map<string, (answer: string) => void>();
  let nextId = 0;
  return new Promise((resolve, reject) => {
    const socket = openWebSocket({ port, path: '/socket.io/?EIO=4&transport=websocket' }, (payload) => {
      const text = payload.toString();
      if (text === '2') socket.send(['3']);
      else if (text.startsWith('0')) socket.send(['40/agents,']);
      else if (text.startsWith('40/agents,')) sayHello();
      else if (text.startsWith('43/agents,')) {
        const at = text.indexOf('[');
        const id = text.slice('43/agents,'.length, at);
        waiting.get(id)?.(text.slice(at));
        waiting.delete(id);
      } else if (text.startsWith('44') || text.startsWith('41')) reject(new Error(text));
    });
    socket.socket.on('error', reject);
    socket.socket.on('close', () => reject(new Error(`HQ closed the connection of ${agent}`)));
    const ask = (event: string, document: object, then: () => void) => {
      const id = String(nextId++);
      waiting.set(id, (answer) => (answer.startsWith('[{"ok":true') ? then() : reject(new Error(answer))));
      socket.send([`42/agents,${id}${JSON.stringify([event, document])}`]);
    };
    const sayHello = () => {
      const hello = { protocol: 1, schema: 1, agent, epoch, instance: agent, version: 'bench' };
      ask('hello', { ...hello, sampled: 0, released: 0, ts: clock.now() }, () => {
        const { ref, source, boot, series } = hostSchema;
        ask('schema', { ref, schema: { source, boot, series } }, () => resolve({ send }));
      });
    };
    const send = (round: number, confirmed: () => void) => {
      if ((round + index) % HEARTBEAT_PERIODS === 0) ask('heartbeat', heartbeat(round), () => {});
      const id = String(nextId++);
      const frame = encodeSamples({ epoch, firstSeq: round + 1, samples: [sampleOf(index, round)] });
      waiting.set(id, (answer) => {
        if (answer.startsWith('[{"ok":true')) confirmed();
        else refusals += 1;
      });
      const event = `451-/agents,${id}["frame",{"lane":"live"},{"_placeholder":true,"num":0}]`;
      socket.send([event, Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)]);
    };
  });
}

/** One kept-alive connection an agent, one POST a sample. */
async function connectBaseline(index: number): Promise<Simulated> {
  const connection = new Agent({ keepAlive: true, maxSockets: 1 });
  return {
    send: (round, confirmed) => {
      const { schema, ts, values } = sampleOf(index, round);
      const metrics = Object.fromEntries(schema.series.map(({ name }, column) => [name, values[column]]));
      const headers = { 'x-agent': `sim-${index}` };
      const sent = request(`${url}/telemetry`, { method: 'POST', agent: connection, headers }, (response) => {
        response.resume();
        response.on('end', confirmed);
      });
      sent.on('error', () => {
        refusals += 1;
      });
      sent.end(JSON.stringify({ seq: round + 1, ts, ...metrics }));
    },
  };
}

let refusals = 0;

async function connectAll(): Promise<Simulated[]> {
  const agents: Simulated[] = [];
  for (let first = 0; first < agentCount; first += CONNECTING) {
    const indexes = Array.from(
      { length: Math.min(CONNECTING, agentCount - first) },
      (_, index) => first + index,
    );
    agents.push(...(await Promise.all(indexes.map(mode === 'baseline' ? connectBaseline : connectHoldfast))));
  }
  return agents;
}

async function run(): Promise<void> {
  const agents = await connectAll();
  say({ event: 'ready' });
  const latencies: number[] = [];
  let sent = 0;
  const start = clock.precise();
  const warmAt = Number(warmUpText) * PERIOD_MS;
  const endAt = warmAt + seconds * PERIOD_MS;
  let next = 0;
  let isWarm = false;
  for (;;) {
    const elapsed = clock.precise() - start;
    if (!isWarm && elapsed >= warmAt) {
      isWarm = true;
      say({ event: 'warm' });
    }
    // Agents are due one after the other, evenly over each period.
    for (;;) {
      const round = Math.floor(next / agentCount);
      const due = (next * PERIOD_MS) / agentCount;
      if (due > elapsed || due >= endAt) break;
      const counts = due >= warmAt;
      if (counts) sent += 1;
      agents[next % agentCount]?.send(round, () => {
        if (counts) latencies.push(clock.precise() - start - due);
      });
      next += 1;
    }
    if (elapsed >= endAt) break;
    await delay(TICK_MS);
  }
  say({ event: 'sent' });
  for (let waited = 0; waited < PATIENCE_MS && latencies.length + refusals < sent; waited += TICK_MS)
    await delay(TICK_MS);
  // What was never confirmed counts as slower than anything that was.
  const slowest = latencies.reduce((most, one) => Math.max(most, one), PATIENCE_MS);
  const all = [...latencies, ...Array.from({ length: sent - latencies.length }, () => slowest)];
  say({
    event: 'measured',
    sent,
    acked: latencies.length,
    refusals,
    p50: quantile(all, 0.5),
    p99: quantile(all, 0.99),
  });
}

await run();
leaveNow(0);
