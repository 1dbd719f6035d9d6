/** One agent sends a thousand times as much as each of its fifty neighbours: it is refused, and they hardly notice. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { putAhead } from '../support/ahead.ts';
import { built, node } from '../support/holdfast.ts';
import { ledgerOf, startHqProcess } from '../support/hq.ts';
import { expectWithin, long, sized } from '../support/long.ts';
import { keepFigures } from '../support/memory.ts';
import { percentile } from '../support/percentile.ts';
import { watchSlowness } from '../support/slowness.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { until } from '../support/wait.ts';

const NEIGHBOURS = Array.from({ length: 50 }, (_, index) => `neighbour-${index}`);
const HZ = 1;
const FLOOD = 1_000;
const ROUNDS = sized(1, 5);
const WINDOW_MS = 2_200;
/**
 * How long a window lasts where times are not judged: until so many frames of the neighbours, and of the flood, were
 * answered.
 */
const ANSWERS = 100;
/**
 * The windows of a round, and the lane in which the flooder sends meanwhile. Before the first round there is one that
 * does not count: code is compiled then.
 */
const KINDS = { 'quiet-a': null, live: 'live', 'quiet-b': null, backlog: 'backlog' } as const;
type Kind = keyof typeof KINDS;
const isKind = (name: string): name is Kind => Object.hasOwn(KINDS, name);
const kinds = Object.keys(KINDS).filter(isKind);
/** 99 of 100 answers may take so many times as long as without the flood. */
const MOST = 2;
/** Below this a p99 is chance on a machine of two cores: one collection of garbage, one commit more to wait for. */
const FLOOR_MS = 10;

const lineSchema = z.looseObject({ event: z.string() });
const endedSchema = z.object({
  ackMs: z.record(z.string(), z.array(z.number())),
  refusals: z.record(z.string(), z.record(z.string(), z.number())),
  accounts: z.array(z.object({ agent: z.string(), sampled: z.number(), refused: z.number() })),
});

function startClients(order: object) {
  const script = fileURLToPath(new URL('./flood-child.ts', import.meta.url));
  const child = spawn(node, [script, JSON.stringify(order)], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines: z.infer<typeof lineSchema>[] = [];
  createInterface({ input: child.stdout }).on('line', (line) =>
    lines.push(lineSchema.parse(JSON.parse(line))),
  );
  const said = (event: string) =>
    until(`the clients to say ${event}`, () => {
      if (child.exitCode !== null) throw new Error(`the clients ended with ${child.exitCode}`);
      const index = lines.findIndex((line) => line.event === event);
      return index < 0 ? undefined : lines.splice(index, 1)[0];
    });
  return {
    pid: child.pid ?? 0,
    kill: () => void child.kill('SIGKILL'),
    said,
    ask: (order: string, event: string) => {
      child.stdin.write(`${order}\n`);
      return said(event);
    },
  };
}

const windowsOf = (kind: Kind) => Array.from({ length: ROUNDS }, (_, round) => `${kind}-${round}`);
const sum = (values: readonly number[]) => values.reduce((total, one) => total + one, 0);

async function refusalsAt(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line =
    /^holdfast_hq_refusals_total\{(?=[^}]*event="frame")(?=[^}]*code="rate_limited")[^}]*\} (\S+)$/m;
  return Number(line.exec(text)?.[1] ?? 0);
}

it('refuses an agent that floods at 1,000 times the rate of its neighbours, whose p99 ack time at most doubles', async () => {
  const hq = await startHqProcess(join(temporaryFolder(), 'hq'), { args: ['--log-level', 'warn'], ...built });
  const lanes = kinds.flatMap((kind) => windowsOf(kind).map((name) => [name, KINDS[kind]] as const));
  const neighbours = startClients({
    url: hq.url,
    names: NEIGHBOURS,
    framesPerSecond: NEIGHBOURS.length * HZ,
    lanes: Object.fromEntries([['warm-up', 'live'], ...lanes.map(([name]) => [name, 'live'])]),
  });
  const flooder = startClients({
    url: hq.url,
    names: ['flooder'],
    framesPerSecond: FLOOD * HZ,
    lanes: Object.fromEntries([['warm-up', 'live'], ...lanes.filter(([, lane]) => lane !== null)]),
  });
  await Promise.all([neighbours.said('online'), flooder.said('online')]);

  const lastingFor = async (window: string) => {
    // What comes in a length of time is counted: there is nothing to wait for.
    if (long) return delay(WINDOW_MS);
    await neighbours.ask(`taken ${ANSWERS}`, 'taken');
    const answer = { live: 'refused', backlog: 'taken' }[window.split('-')[0] ?? ''];
    if (answer !== undefined) await flooder.ask(`${answer} ${ANSWERS}`, answer);
  };

  if (long) putAhead([hq.pid, neighbours.pid, flooder.pid]);
  const slowness = await watchSlowness();
  for (const name of [
    'warm-up',
    ...Array.from({ length: ROUNDS }, (_, n) => kinds.map((k) => `${k}-${n}`)).flat(),
  ]) {
    await neighbours.ask(`window ${name}`, 'window');
    await flooder.ask(`window ${name}`, 'window');
    await lastingFor(name);
    await neighbours.ask('window rest', 'window');
    await flooder.ask('end', 'ended');
  }
  const slow = slowness.factor();
  await slowness.end();
  const calm = endedSchema.parse(await neighbours.ask('end', 'ended'));
  const flood = endedSchema.parse(await flooder.ask('end', 'ended'));
  neighbours.kill();
  flooder.kill();

  const p99 = (...some: Kind[]) =>
    some.flatMap(windowsOf).map((name) => percentile(calm.ackMs[name] ?? [], 0.99));
  // Of the window that other jobs disturbed the least: they only ever add to the time, most of all on the disk.
  const least = (...some: Kind[]) => Math.min(...p99(...some));
  const quietMs = least('quiet-a', 'quiet-b');
  const [liveMs, backlogMs] = [least('live'), least('backlog')];
  const refusedAtHq = await refusalsAt(hq.url);
  keepFigures('flood', {
    slow,
    quietMs,
    liveMs,
    backlogMs,
    p99: Object.fromEntries(kinds.map((kind) => [kind, p99(kind)])),
    taken: Object.fromEntries(Object.entries(flood.ackMs).map(([name, { length }]) => [name, length])),
    refused: flood.refusals,
    refusedAtHq,
  });

  const boundMs = MOST * slow * Math.max(FLOOR_MS, quietMs);
  expectWithin(liveMs, boundMs, 'live');
  expectWithin(backlogMs, boundMs, 'backlog');

  for (const name of windowsOf('live')) {
    expect(Object.keys(flood.refusals[name] ?? {}), name).toEqual(['rate_limited']);
    const least = long ? 0.8 * NEIGHBOURS.length * HZ * (WINDOW_MS / 1_000) : ANSWERS - 1;
    expect(calm.ackMs[name]?.length, name).toBeGreaterThan(least);
  }
  expect(calm.refusals).toEqual({});
  expect(refusedAtHq).toBe(sum(Object.values(flood.refusals).flatMap((counts) => Object.values(counts))));

  for (const { agent, sampled, refused } of calm.accounts) {
    expect(refused).toBe(0);
    expect(await ledgerOf(hq.url, agent)).toMatchObject([
      { sampled, stored: sampled, pending: 0, contiguous: sampled, ranges: [], gaps: [] },
    ]);
  }
  // What was refused is not counted, what was taken is: also of the one that floods.
  const [{ sampled, refused } = { sampled: 0, refused: 0 }] = flood.accounts;
  expect(await ledgerOf(hq.url, 'flooder')).toMatchObject([{ stored: sampled - refused }]);
  expect(await hq.end('SIGTERM')).toBe(0);
});
