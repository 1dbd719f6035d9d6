/**
 * How long one turn of HQ's event loop takes at most while somebody attacks it: that is what all others wait for. It is
 * processor time, so that it says the same on a busy machine.
 */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { encodeSamples } from '../../src/protocol/frame-codec.ts';
import { internSchema } from '../../src/protocol/schema-ref.ts';
import { built, root } from '../support/holdfast.ts';
import { guest, joined } from '../support/hostile-clients.ts';
import { startHqProcess } from '../support/hq.ts';
import { sized } from '../support/long.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const SECONDS = sized(1, 10);
/** Of processor time. One hostile message must not take more; unbounded ones took from 0.1 to 10 s. */
const MOST_MS = sized(75, 40);

const schemaOf = (boot: string, count: number) =>
  internSchema({
    source: 's',
    boot,
    series: Array.from({ length: count }, (_, n) => ({ name: `m.${n}`, attributes: {}, unit: '' })),
  });
const GIANT = schemaOf('giant', 4_096);
const SMALL = schemaOf('small', 1);
const SEVENS = GIANT.series.map(() => 7);

function frameOf(epoch: string, firstSeq: number, rows: number, schema = GIANT) {
  const samples = Array.from({ length: rows }, (_, row) => ({
    schema,
    ts: Date.now() - 100_000 + row,
    mono: row,
    values: schema === GIANT ? SEVENS : [row],
    anomalies: [],
    diagnostics: [],
  }));
  return Buffer.from(encodeSamples({ epoch, firstSeq, samples }));
}

type Ask = (event: string, ...args: unknown[]) => Promise<unknown>;

async function agentAt(url: string, epoch: string) {
  const socket = await joined(guest(url));
  const ask: Ask = (event, ...args) => socket.timeout(30_000).emitWithAck(event, ...args);
  const said = { protocol: 1, schema: 1, epoch, version: '0', sampled: 0, released: 0, ts: Date.now() };
  const hello = (agent: string) => ask('hello', { ...said, agent, instance: agent });
  const bring = ({ ref, ...schema }: typeof GIANT) => ask('schema', { ref, schema });
  return { socket, ask, hello, bring };
}

/** Keeps `depth` of `work` under way. */
async function flood(depth: number, work: (turn: number) => Promise<unknown>): Promise<void> {
  const end = Date.now() + SECONDS * 1_000;
  let turn = 0;
  const one = async () => {
    while (Date.now() < end) {
      turn += 1;
      await work(turn);
    }
  };
  await Promise.all(Array.from({ length: depth }, one));
}

let attackers = 0;

/** Another one each time, whose budgets nobody has used. */
async function joinedAgent(url: string) {
  attackers += 1;
  const epoch = attackers.toString(16).padStart(12, 'f');
  const name = `attacker-${attackers}`;
  const agent = await agentAt(url, epoch);
  await agent.hello(name);
  for (const schema of [GIANT, SMALL]) await agent.bring(schema);
  return { ...agent, name, epoch };
}

const ATTACKS: Readonly<Record<string, (url: string) => Promise<void>>> = {
  'schemas of 4,096 series': async (url) => {
    const { bring } = await joinedAgent(url);
    await flood(8, (turn) => bring(schemaOf(`b${turn}`, 4_096)));
  },
  'frames of a few bytes that hold half a million values': async (url) => {
    const { ask, epoch } = await joinedAgent(url);
    await flood(8, (turn) => ask('frame', { lane: 'live' }, frameOf(epoch, turn * 128, 128)));
  },
  'hellos of ever other agents': async (url) => {
    await flood(16, async () => {
      attackers += 1;
      const name = `attacker-${attackers}`;
      const { socket, hello } = await agentAt(url, attackers.toString(16).padStart(12, '0'));
      await hello(name);
      socket.disconnect();
    });
  },
  'tiny frames whose answers nobody reads': async (url) => {
    const { socket, epoch } = await joinedAgent(url);
    const frame = frameOf(epoch, 1, 1, SMALL);
    const { transport } = socket.io.engine;
    if (!('ws' in transport)) throw new Error('no WebSocket');
    (transport.ws as { pause: () => void }).pause();
    await flood(1, async () => {
      for (let count = 0; count < 500; count += 1) socket.emit('frame', { lane: 'live' }, frame, () => {});
      await new Promise((resolve) => setTimeout(resolve, 20));
    });
  },
  'deliveries of one sample, each of another series': async (url) => {
    await flood(16, (turn) =>
      fetch(`${url}/telemetry`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ agent: 'web', timestamp: Date.now(), metrics: { [`m.${turn}`]: turn } }),
      }).then((response) => response.text()),
    );
  },
  'reads of samples of 4,096 values, many at once': async (url) => {
    const { ask, epoch, name } = await joinedAgent(url);
    for (const first of [1, 4_097]) await ask('frame', { lane: 'backlog' }, frameOf(epoch, first, 4_096));
    await flood(12, async () => {
      const response = await fetch(`${url}/api/v1/agents/${name}/samples?from=0&limit=1000`);
      expect(response.status).toBe(200);
      await response.arrayBuffer();
    });
  },
};

it.each(Object.entries(ATTACKS))('of HQ is short under %s', async (_kind, attack) => {
  const folder = temporaryFolder();
  const file = join(folder, 'held');
  const held = () => Number(readFileSync(file, 'utf8'));
  const env = { HELD_LOOP: file, NODE_OPTIONS: `--import ${join(root, 'tests/support/held-loop.js')}` };
  const hq = await startHqProcess(join(folder, 'hq'), { ...built, env });
  // What runs for the first time takes longer.
  await attack(hq.url);
  rmSync(file);
  await until('a new count', async () => held() < MOST_MS);
  await attack(hq.url);
  expect(held()).toBeLessThan(MOST_MS);
  expect((await fetch(`${hq.url}/readyz`)).status).toBe(200);
});
