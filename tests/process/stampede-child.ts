/**
 * Many agents in one process: the real uplink over real sockets, each with a journal in memory and a sample every few
 * seconds. Argument: a JSON document, see `orderSchema`. Orders on standard input, answers on standard output, a JSON
 * document a line:
 *
 *     (start)           {"event":"online"}     all have been accepted and their first samples confirmed
 *     stock             {"event":"stocked"}    everyone has an hour's backlog and has lost HQ often enough
 *     lose              {"event":"lost"}       everyone has lost HQ; who comes from now on comes back
 *     back              {"event":"drained", …} HQ listens again; in time everyone has delivered everything
 *
 * `lose` goes before HQ is started again: a busy machine may let agents in before this process hears that HQ listens.
 * `lose` and `back` can be repeated.
 */
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { firstValueFrom, interval } from 'rxjs';
import { z } from 'zod';
import { agentConfigSchema } from '../../src/agent/config.ts';
import { OPEN_GATE } from '../../src/agent/uplink/metering/gate.ts';
import { createSocketIoLink } from '../../src/agent/uplink/socketio-link.ts';
import { createUplink } from '../../src/agent/uplink/uplink.ts';
import { openJournal } from '../../src/journal/journal.ts';
import type { Journal } from '../../src/journal/port.ts';
import { createSystemClock } from '../../src/platform/clock.ts';
import { systemIds } from '../../src/platform/ids.ts';
import { systemRandom } from '../../src/platform/random.ts';
import type { Sample } from '../../src/protocol/sample.ts';
import { internSchema } from '../../src/protocol/schema-ref.ts';
import { createMemoryStorage } from '../../src/storage/memory/memory-storage.ts';

const orderSchema = z.object({
  url: z.string(),
  agents: z.number(),
  samplePeriodMs: z.number(),
  /** Samples of the hour, and how many of them make a frame. */
  backlog: z.number(),
  frameSamples: z.number(),
  maxBytesPerSecond: z.number(),
  /** Connections that most of them must have tried in vain. */
  attempts: z.number(),
  backoffMaxMs: z.number(),
});
const order = orderSchema.parse(JSON.parse(process.argv[2] ?? '{}'));
const POLL_MS = 20;
/** Agents that are started at once. */
const CROWD = 50;
const MOST = 0.95;
const HOUR_MS = 3_600_000;

const clock = createSystemClock();
const say = (document: object) => console.log(JSON.stringify(document));
const schema = internSchema({
  source: 'stampede',
  boot: clock.bootId,
  series: ['level', 'noise'].map((name) => ({ name, attributes: {}, unit: '1' })),
});
const { maxBytesPerSecond, backoffMaxMs } = order;
const config = agentConfigSchema.parse({ uplink: { maxBytesPerSecond, backoffMaxMs } });

type Times = { opened: number; live: number; drained: number };
type Simulated = {
  readonly id: string;
  readonly journal: Journal;
  readonly uplink: ReturnType<typeof createUplink>;
  /** On the clock; infinite: not yet. */
  readonly times: Times;
  sampling: boolean;
};
const never = (): Times => ({ opened: Infinity, live: Infinity, drained: Infinity });

const sampleAt = (ts: number): Sample => ({
  schema,
  ts,
  mono: clock.mono(),
  values: [Math.floor(ts / 60_000) % 100, systemRandom.next()],
  anomalies: [],
  diagnostics: [],
});

async function start(index: number): Promise<Simulated> {
  const id = `agent-${String(index).padStart(4, '0')}`;
  const instance = systemIds.hex(8);
  const options = { clock, ids: systemIds, policy: 'drop-oldest', maxBytes: 2 ** 26 } as const;
  const journal = await firstValueFrom(openJournal({ ...options, storage: createMemoryStorage() }));
  const times = never();
  const uplink = createUplink({
    identity: { agent: id, instance, version: 'test' },
    settings: config.uplink,
    link: createSocketIoLink({
      url: order.url,
      token: () => undefined,
      instance,
      connectTimeoutMs: config.uplink.connectTimeoutMs,
      clock,
    }),
    journal,
    clock,
    random: systemRandom,
    emit: (event) => {
      const now = clock.precise();
      if (event.type === 'link_state' && event.connected) times.opened = Math.min(times.opened, now);
      if (event.type === 'frame_confirmed' && event.lane === 'live') times.live = Math.min(times.live, now);
    },
    agentState: () => 'live',
    gate: OPEN_GATE,
    linkReport: () => null,
  });
  return { id, journal, uplink, times, sampling: true };
}

/** All that one appended, in the journal and on its way. */
async function append({ journal, uplink }: Simulated, samples: readonly Sample[]): Promise<void> {
  const { frame } = await firstValueFrom(journal.append(samples));
  uplink.committed(frame);
}

const pendingOf = ({ journal }: Simulated) => journal.stats().pending;

async function every(what: (agent: Simulated) => boolean, share = 1): Promise<void> {
  while (agents.filter(what).length < share * agents.length) await delay(POLL_MS);
}

async function stock(): Promise<void> {
  await every(({ uplink }) => uplink.status().phase !== 'online');
  for (const agent of agents) {
    for (let made = 0; made < order.backlog; made += order.frameSamples) {
      const from = clock.now() - HOUR_MS * (1 - made / order.backlog);
      const step = HOUR_MS / order.backlog;
      await append(
        agent,
        Array.from({ length: order.frameSamples }, (_, index) => sampleAt(Math.floor(from + index * step))),
      );
    }
    await delay(0);
  }
  await every(({ uplink }) => uplink.status().attempt >= order.attempts, MOST);
  say({ event: 'stocked', pending: agents.map(pendingOf).reduce((sum, one) => sum + one, 0) });
}

async function lose(): Promise<void> {
  await every(({ uplink }) => uplink.status().phase !== 'online');
  for (const agent of agents) {
    Object.assign(agent.times, never());
    agent.sampling = true;
  }
  say({ event: 'lost' });
}

async function back(): Promise<void> {
  const backAt = clock.precise();
  // Who was faster than the word of it came at once.
  const since = (time: number) => Math.max(0, time - backAt);
  let left = [...agents];
  while (left.length > 0) {
    left = left.filter((agent) => {
      // What an hour left behind is there when what was sampled before now is.
      if (!Number.isFinite(agent.times.live) || agent.journal.stats().pendingFrames > 2) return true;
      agent.times.drained = clock.precise();
      return false;
    });
    await delay(POLL_MS);
  }
  for (const agent of agents) agent.sampling = false;
  await every((agent) => pendingOf(agent) === 0);
  say({
    event: 'drained',
    agents: agents.map(({ id, times: { opened, live, drained }, journal }) => ({
      ...{ id, opened: since(opened), live: since(live), drained: since(drained) },
      sampled: journal.stats().sampled,
    })),
  });
}

const agents: Simulated[] = [];
for (let index = 0; index < order.agents; index += 1) {
  agents.push(await start(index));
  if (index % CROWD === CROWD - 1) await every(({ uplink }) => uplink.status().phase === 'online');
}
let next = 0;
const TICK_MS = 10;
let due = clock.precise();
interval(TICK_MS, clock.scheduler).subscribe(() => {
  // One after the other, evenly over the period.
  for (; due <= clock.precise(); due += order.samplePeriodMs / agents.length) {
    const agent = agents[next % agents.length];
    next += 1;
    if (agent?.sampling === true) void append(agent, [sampleAt(clock.now())]);
  }
});
await every(({ journal }) => journal.stats().released > 0);
say({ event: 'online' });
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'stock') await stock();
  if (line === 'lose') await lose();
  if (line === 'back') await back();
}
