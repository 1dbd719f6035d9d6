/**
 * How many rows of 17 values an agent samples a second from a CSV file at full speed: read, parsed, each value judged
 * against its window, encoded and durable in its journal. There is no HQ. Baseline: a Node process (BARE) that splits
 * the same lines, parses their cells and commits as many at once as JSON in LMDB, and judges nothing. They run one
 * after the other in one run.
 *
 *     npm run build && node benchmarks/agent-full.ts
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '../src/platform/random.ts';
import { type BenchResult, type BenchRow, rounded } from './result.ts';
import { print } from './support/print.ts';
import {
  cpuSeconds,
  eventOf,
  inWorkshop,
  isRecord,
  lineOf,
  type Running,
  residentMb,
  type Workshop,
} from './support/processes.ts';

export type AgentFullOptions = {
  /** Rows of the file. Default 1,000,000: 155 MB. */
  readonly rows?: number;
};

const SERIES = 17;
const COMMITTED = /^holdfast_agent_samples_committed_total\S* (\d+)/m;

const BARE = `
  import { createReadStream } from 'node:fs';
  import { createInterface } from 'node:readline';
  import { open } from ${JSON.stringify(import.meta.resolve('lmdb'))};
  const [path, folder] = process.argv.slice(1);
  const db = open({ path: folder + '/data.mdb', overlappingSync: false, eventTurnBatching: false, encoding: 'binary' });
  const tell = (event, fields) => console.log(JSON.stringify({ event, ms: performance.now(), cpu: process.cpuUsage(), ...fields }));
  tell('begun');
  let rows = 0;
  let batch = [];
  for await (const line of createInterface({ input: createReadStream(path) })) {
    if (++rows > 1) batch.push(line.split(',').map(Number));
    if (batch.length < 4096) continue;
    await db.put(rows, Buffer.from(JSON.stringify(batch)));
    batch = [];
  }
  if (batch.length > 0) await db.put(rows, Buffer.from(JSON.stringify(batch)));
  tell('ended', { rows: rows - 1 });
`;

/** Takes about a minute. Needs the build in dist/. */
export async function benchAgentFull({ rows = 1_000_000 }: AgentFullOptions = {}): Promise<BenchResult> {
  return inWorkshop(async (workshop) => {
    const path = join(workshop.folder(), 'full.csv');
    writeFile(path, rows);
    const agent = await runAgent(workshop, path, rows);
    const bare = await runBare(workshop, path);
    return {
      title: `a CSV file of ${rows} rows of ${SERIES} values at full speed`,
      rows: [...agent, ...bare],
    };
  });
}

async function runAgent(workshop: Workshop, path: string, rows: number): Promise<BenchRow[]> {
  const running = workshop.holdfast([
    ...['agent', '--hq', 'http://127.0.0.1:9', '--id', 'full', '--data-dir', workshop.folder()],
    ...['--health-port', '0', '--source', `csv:path=${path},speed=max`],
  ]);
  const { url } = await loggedEvent(running, 'health_listening');
  const begun = await loggedEvent(running, 'csv_opened');
  const cpuBefore = cpuSeconds(running.pid);
  await delay(Number(begun.time) + 1000 - Date.now());
  const early = await fetch(`${String(url)}/metrics`);
  const text = await early.text();
  const firstSeconds = (Date.now() - Number(begun.time)) / 1000;
  const ended = await loggedEvent(running, 'csv_pass_ended');
  const cpu = cpuSeconds(running.pid) - cpuBefore;
  if (Number(ended.rows) !== rows) throw new Error(`${String(ended.rows)} rows of ${rows} were sampled`);
  const seconds = (Number(ended.time) - Number(begun.time)) / 1000;
  return [
    { name: 'holdfast: rows', value: rounded(rows / seconds), unit: '1/s' },
    {
      name: 'holdfast: rows durable in the first second',
      value: rounded(Number(COMMITTED.exec(text)?.[1] ?? 0) / firstSeconds),
      unit: '1/s',
    },
    { name: 'holdfast: rows a second of processor time', value: rounded(rows / cpu), unit: '1/s' },
    { name: 'holdfast: RSS at its highest', value: rounded(residentMb(running.pid, 'peak')), unit: 'MB' },
  ];
}

async function runBare(workshop: Workshop, path: string): Promise<BenchRow[]> {
  const running = workshop.node(['--input-type=module', '--eval', BARE, '--', path, workshop.folder()]);
  const begun = await eventOf(running, 'begun');
  const ended = await eventOf(running, 'ended');
  const rows = Number(ended.rows);
  const cpu = cpuOf(ended) - cpuOf(begun);
  const seconds = (Number(ended.ms) - Number(begun.ms)) / 1000;
  return [
    { name: 'Node + JSON + LMDB: rows', value: rounded(rows / seconds), unit: '1/s' },
    { name: 'Node + JSON + LMDB: rows a second of processor time', value: rounded(rows / cpu), unit: '1/s' },
  ];
}

/** Seconds. */
function cpuOf({ cpu }: Record<string, unknown>): number {
  return isRecord(cpu) ? (Number(cpu.user) + Number(cpu.system)) / 1e6 : Number.NaN;
}

/** The first line of the log of this `event`. */
function loggedEvent(running: Running, event: string): Promise<Record<string, unknown>> {
  return lineOf(
    running,
    event,
    (line) => {
      if (!line.startsWith('{')) return undefined;
      const parsed: unknown = JSON.parse(line);
      return isRecord(parsed) && parsed.event === event ? parsed : undefined;
    },
    'stderr',
  );
}

/** Values as host metrics have them: shares, bytes, counters, temperatures, a constant. */
function writeFile(path: string, rows: number): void {
  const random = seededRandom(1);
  const file = openSync(path, 'w');
  const start = Date.UTC(2026, 0, 1);
  writeSync(file, `time,${Array.from({ length: SERIES }, (_, index) => `metric.${index}`).join(',')}\n`);
  let lines = '';
  for (let row = 0; row < rows; row += 1) {
    const cells = Array.from({ length: SERIES }, (_, index) => cellOf(index, row, random.next()));
    lines += `${start + row * 100},${cells.join(',')}\n`;
    if (lines.length < 1e6 && row + 1 < rows) continue;
    writeSync(file, lines);
    lines = '';
  }
  closeSync(file);
}

function cellOf(index: number, row: number, chance: number): string {
  if (index < 3) return (0.4 + chance * 0.2).toFixed(4);
  if (index < 7) return String(Math.floor(8e9 + chance * 1e6));
  if (index < 11) return String(row * 1500 + Math.floor(chance * 1000));
  if (index < 15) return (20 + chance * 5).toFixed(2);
  return index === 15 ? '4' : (chance * 3).toFixed(6);
}

if (import.meta.main) print([await benchAgentFull()]);
