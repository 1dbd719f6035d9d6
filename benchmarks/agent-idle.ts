/**
 * What an agent costs that measures and delivers, and has nothing else to do: processor time over a minute and memory,
 * connected to an HQ on loopback. Baseline: a bare Node process that makes as many durable commits in LMDB (BARE). All
 * run side by side, in the same minute, so that a machine that others use too slows them alike.
 *
 *     npm run build && node benchmarks/agent-idle.ts
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type BenchResult, type BenchRow, rounded } from './result.ts';
import { print } from './support/print.ts';
import {
  cpuSeconds,
  eventOf,
  inWorkshop,
  isRecord,
  type Running,
  residentMb,
  startHq,
  until,
  type Workshop,
} from './support/processes.ts';

export type AgentIdleOptions = {
  /** How long to measure. Default 60. */
  readonly seconds?: number;
  /** How long they run before that: starting is not what is measured. Default 15. */
  readonly settle?: number;
};

type Candidate = { readonly name: string; readonly running: Running };

/** An agent makes one commit for each batch (`commitMs` 200 ms), and one for each release of what HQ has. */
const LOADS = [
  { name: 'host every second', source: 'host:every=1s', commitsPerSecond: 2, bytes: 150 },
  { name: '17 series at 10 Hz', source: 'sim:hz=10,sensors=17', commitsPerSecond: 10, bytes: 150 },
];

/**
 * What an agent at rest cannot do without. Plain JavaScript: stripping types would take memory. Arguments: folder,
 * commits a second, bytes.
 */
const BARE = `
  import { open } from ${JSON.stringify(import.meta.resolve('lmdb'))};
  const [folder, perSecond, bytes] = process.argv.slice(1);
  const path = folder + '/data.mdb';
  const db = open({ path, overlappingSync: false, eventTurnBatching: false, encoding: 'binary' });
  const value = Buffer.alloc(Number(bytes), 7);
  let written = 0;
  setInterval(() => void db.put(++written % 100, value), 1000 / Number(perSecond));
  console.log(JSON.stringify({ event: 'ready' }));
`;

/** Takes a minute and a half. Needs the build in dist/. */
export async function benchAgentIdle(options: AgentIdleOptions = {}): Promise<BenchResult> {
  const { seconds = 60, settle = 15 } = options;
  return inWorkshop(async (workshop) => {
    const hq = await startHq(workshop);
    const agents = LOADS.map(
      ({ name, source }, index): Candidate => ({
        name: `holdfast, ${name}`,
        running: startAgent(workshop, { url: hq.url, id: `idle-${index}`, source }),
      }),
    );
    const baselines = LOADS.map(({ commitsPerSecond, bytes }): Candidate => {
      const args = [workshop.folder(), String(commitsPerSecond), String(bytes)];
      return {
        name: `Node + LMDB, ${commitsPerSecond} commits/s`,
        running: workshop.node(['--input-type=module', '--eval', BARE, '--', ...args]),
      };
    });
    await Promise.all(baselines.map(({ running }) => eventOf(running, 'ready')));
    await Promise.all(LOADS.map((_, index) => until('samples at HQ', () => hasSamples(hq.url, index))));
    await delay(settle * 1000);

    const all = [...agents, ...baselines];
    const before = all.map(({ running }) => cpuSeconds(running.pid));
    await delay(seconds * 1000);
    const rows = all.flatMap(({ name, running }, index): BenchRow[] => [
      {
        name: `${name}: CPU`,
        value: rounded(((cpuSeconds(running.pid) - (before[index] ?? 0)) / seconds) * 100),
        unit: '% of a core',
      },
      { name: `${name}: RSS`, value: rounded(residentMb(running.pid, 'now')), unit: 'MB' },
      { name: `${name}: PSS`, value: rounded(proportionalMb(running.pid)), unit: 'MB' },
    ]);
    return { title: `an agent at rest, over ${seconds} s`, rows };
  });
}

function startAgent(
  workshop: Workshop,
  { url, id, source }: { readonly url: string; readonly id: string; readonly source: string },
): Running {
  return workshop.holdfast([
    ...['agent', '--hq', url, '--id', id, '--data-dir', workshop.folder(), '--health-port', '0'],
    ...['--source', source],
  ]);
}

async function hasSamples(url: string, index: number): Promise<true | undefined> {
  const response = await fetch(`${url}/api/v1/agents/idle-${index}/samples?limit=1`);
  if (!response.ok) return undefined;
  const body: unknown = await response.json();
  const found = isRecord(body)
    ? Object.values(body).some((list) => Array.isArray(list) && list.length > 0)
    : false;
  return found ? true : undefined;
}

/** Memory of a process, its share of pages that others use too counted by their number, MB. */
function proportionalMb(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return (Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1]) * 1024) / 1e6;
}

if (import.meta.main) print([await benchAgentIdle()]);
